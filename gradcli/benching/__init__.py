"""How long an expression and its gradient take here, beside other libraries."""

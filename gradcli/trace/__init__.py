"""What happens while an expression or a script is computed: the first NaN, and kinks that were hit."""

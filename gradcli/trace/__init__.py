"""What happens while something is computed: the first NaN, and the kinks that are hit."""

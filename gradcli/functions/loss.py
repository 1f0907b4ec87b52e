"""Neural network functions of torch.nn.functional."""

"""The fused pass: logits, softmax and both gradients block by block, without the whole matrix."""

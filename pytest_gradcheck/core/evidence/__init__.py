"""What the methods say of a derivative, and how far their answers are apart."""

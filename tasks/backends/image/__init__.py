"""What backends share that look at images, in numpy and Pillow. Imports no model runtime."""

"""What backends share that read and write text, in numpy. Imports no model runtime."""

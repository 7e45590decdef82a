"""What backends share that hear and speak, in numpy. Imports no model runtime."""

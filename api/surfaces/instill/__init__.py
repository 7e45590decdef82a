"""Instill's AI Tasks over HTTP: triggers, their operations, the models that take them.

May import the tasks' Inputs and Outputs and what the API's routes share. A form reads an entry of
`taskInputs` into rows of one of our tasks and writes their answers as an entry of `taskOutputs`;
numpy and Pillow are imported where masks are, in `segments`, alone.
"""

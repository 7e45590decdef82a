"""What OpenAI's clients call, under /v1: https://platform.openai.com/docs/api-reference.

Reads their requests into our tasks' inputs and writes our answers in their shape. Knows no queue:
`api.core.run_and_wait` and `api.core.streams` do.
"""

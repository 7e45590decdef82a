"""Files and batches in the shape of OpenAI's Batch API: lines of requests in, of answers out.

Any API process takes a batch that nobody is at, answers its lines through the queue, and saves how
far it came; docs/batches.md tells what a client sees.
"""

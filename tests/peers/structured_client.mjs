// The Vercel AI SDK against URL: prints a line of JSON per call, its name and what it saw.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, streamObject, tool } from "ai";
import { z } from "zod";

const [, , url] = process.argv;
const provider = createOpenAICompatible({
  name: "wherry",
  baseURL: `${url}/v1`,
  apiKey: "none",
  supportsStructuredOutputs: true,
});
const person = z.object({
  name: z.string().max(8),
  age: z.number().int().min(0).max(120),
  city: z.enum(["Paris", "London"]),
});
const prompt = "Ada is 36 and lives in London. Answer as JSON.";
const weather = tool({
  description: "The weather of a place.",
  inputSchema: z.object({ city: z.enum(["Paris", "London"]) }),
});

const calls = {
  generateObject: async () => {
    const { object } = await generateObject({
      model: provider("chat"), schema: person, prompt, maxOutputTokens: 200,
    });
    return object;
  },
  streamObject: async () => {
    const { object, partialObjectStream } = streamObject({
      model: provider("chat"), schema: person, prompt, maxOutputTokens: 200,
    });
    for await (const _ of partialObjectStream);
    return await object;
  },
  "generateText, tools": async () => {
    const { toolCalls } = await generateText({
      model: provider("hermes"), prompt, tools: { weather }, toolChoice: "required", maxOutputTokens: 400,
    });
    return toolCalls.map((call) => [call.toolName, call.input]);
  },
};

for (const [call, run] of Object.entries(calls)) {
  let line;
  try {
    line = { call, saw: await run(), failed: "" };
  } catch (error) {
    line = { call, saw: null, failed: String(error) };
  }
  console.log(JSON.stringify(line));
}

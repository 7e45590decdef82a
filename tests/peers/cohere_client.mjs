// `cohere_client.mjs URL`: what the real client reads, a line of JSON a call.
import { CohereClient, CohereClientV2 } from "cohere-ai";

const [url] = process.argv.slice(2);
const query = "Who jumps over the dog?";
const documents = [
  "Interest rates rose today.",
  "The quick brown fox jumps over the lazy dog.",
  "A wherry is a light boat for hire.",
];
const second = new CohereClientV2({ token: "none", environment: url });
const first = new CohereClient({ token: "none", environment: url });
const pairs = (answer) => answer.results.map((each) => [each.index, each.relevanceScore]);

const calls = {
  "CohereClientV2.rerank": async () =>
    pairs(await second.rerank({ model: "ranking", query, documents, topN: 2 })),
  "CohereClient.rerank, documents": async () => {
    const asked = documents.map((text) => ({ text }));
    const answer = await first.rerank({
      model: "ranking", query, documents: asked, topN: 2, returnDocuments: true,
    });
    return { ranking: pairs(answer), texts: answer.results.map((each) => each.document.text) };
  },
};

for (const [call, run] of Object.entries(calls)) {
  let failed = "";
  const saw = await run().catch((error) => {
    failed = String(error);
    return null;
  });
  console.log(JSON.stringify({ call, saw, failed }));
}

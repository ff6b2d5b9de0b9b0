// Sends what is due: a POST to Twilio for each job, 16 at a time.
import { Worker } from "bullmq";

import { QUEUE, connection } from "./queue.js";

const { TWILIO_URL, ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER } = process.env;
const URL = `${TWILIO_URL}/2010-04-01/Accounts/${ACCOUNT_SID}/Messages.json`;
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCOUNT_SID}:${AUTH_TOKEN}`).toString("base64")}`;

async function send(job) {
  const answer = await fetch(URL, {
    method: "POST",
    headers: { authorization: AUTHORIZATION },
    body: new URLSearchParams({
      To: `whatsapp:${job.data.to}`,
      From: `whatsapp:${FROM_NUMBER}`,
      Body: job.data.body,
    }),
  });
  const { sid } = await answer.json();
  if (!answer.ok) {
    throw new Error(`Twilio answered ${answer.status}`);
  }
  return sid;
}

const worker = new Worker(QUEUE, send, { connection, concurrency: 16 });
worker.on("error", (error) => console.error(error.message));
await worker.waitUntilReady();
console.log("ready");

// The queue that server and worker share: a delayed job for each reminder.
import { Queue } from "bullmq";

export const QUEUE = "reminders";

export const connection = { path: process.env.REDIS_SOCKET };

export const queue = new Queue(QUEUE, {
  connection,
  defaultJobOptions: {
    attempts: 6,
    backoff: { type: "exponential", delay: 5_000 },
    removeOnComplete: 1_000,
    removeOnFail: 5_000,
  },
});

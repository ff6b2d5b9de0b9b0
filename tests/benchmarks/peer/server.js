// The service that one would write instead: bookings in a Map, a delayed job for each reminder.
import { randomUUID, timingSafeEqual } from "node:crypto";

import express from "express";

import { queue } from "./queue.js";

const EVERY = 2 * 60 * 60 * 1000; // milliseconds
const PHONE = /^\+[1-9]\d{6,14}$/;
const TOKEN = Buffer.from(`Bearer ${process.env.API_TOKEN}`);

const bookings = new Map();

function reminders(booking, from) {
  const jobs = [];
  for (let at = from + EVERY; at < booking.at; at += EVERY) {
    booking.last += 1;
    jobs.push({
      name: "reminder",
      data: { to: booking.customerPhone, body: `Your appointment is at ${booking.scheduledTime}.` },
      opts: { jobId: `${booking.id}-reminder-${booking.last}`, delay: at - Date.now() },
    });
  }
  booking.jobIds.push(...jobs.map((job) => job.opts.jobId));
  return jobs;
}

async function withdraw(booking) {
  await Promise.all(booking.jobIds.map((id) => queue.remove(id)));
  booking.jobIds = [];
}

function wrong(given) {
  const errors = [];
  for (const name of ["customerName", "customerPhone", "serviceId", "barberId", "scheduledTime"]) {
    if (typeof given[name] !== "string" || given[name] === "") {
      errors.push({ field: name, message: "This is needed." });
    }
  }
  if (errors.length === 0 && !PHONE.test(given.customerPhone)) {
    errors.push({ field: "customerPhone", message: "This is not a phone number." });
  }
  if (errors.length === 0 && !(Date.parse(given.scheduledTime) > Date.now())) {
    errors.push({ field: "scheduledTime", message: "This must be a time to come." });
  }
  return errors;
}

function shown(booking) {
  const { at, last, jobIds, ...fields } = booking;
  return fields;
}

const app = express();
app.disable("x-powered-by");
app.use((request, response, next) => {
  const given = Buffer.from(request.get("authorization") ?? "");
  if (given.length !== TOKEN.length || !timingSafeEqual(given, TOKEN)) {
    response.status(401).json({ error: "A valid token is needed." });
    return;
  }
  next();
});
app.use(express.json());
app.param("id", (request, response, next, id) => {
  request.booking = bookings.get(id);
  if (request.booking === undefined) {
    response.status(404).json({ error: "There is no such booking." });
    return;
  }
  next();
});

app.post("/api/bookings", async (request, response) => {
  const errors = wrong(request.body ?? {});
  if (errors.length > 0) {
    response.status(422).json({ errors });
    return;
  }
  const now = new Date();
  const { customerName, customerPhone, serviceId, barberId, scheduledTime } = request.body;
  const booking = {
    id: `booking_${randomUUID()}`,
    customerName,
    customerPhone,
    serviceId,
    barberId,
    scheduledTime,
    status: "confirmed",
    createdAt: now,
    updatedAt: now,
    at: Date.parse(scheduledTime),
    last: 0,
    jobIds: [],
  };
  await queue.addBulk(reminders(booking, now.getTime()));
  bookings.set(booking.id, booking);
  response.status(201).json(shown(booking));
});

app.get("/api/bookings/:id/reminders", async (request, response) => {
  const { booking } = request;
  const items = await Promise.all(
    booking.jobIds.map(async (jobId) => {
      const [job, state] = await Promise.all([queue.getJob(jobId), queue.getJobState(jobId)]);
      return {
        jobId,
        state,
        scheduledFor: job && new Date(job.timestamp + job.opts.delay),
        attempts: job?.attemptsMade ?? 0,
      };
    }),
  );
  response.json(items);
});

app.patch("/api/bookings/:id", async (request, response) => {
  const { booking } = request;
  const errors = wrong({ ...shown(booking), ...request.body });
  if (errors.length > 0) {
    response.status(422).json({ errors });
    return;
  }
  Object.assign(booking, request.body, { updatedAt: new Date() });
  booking.at = Date.parse(booking.scheduledTime);
  await withdraw(booking);
  await queue.addBulk(reminders(booking, Date.now()));
  response.json(shown(booking));
});

app.delete("/api/bookings/:id", async (request, response) => {
  const { booking } = request;
  if (booking.status !== "cancelled") {
    booking.status = "cancelled";
    booking.updatedAt = new Date();
    await withdraw(booking);
    const body = `Your appointment at ${booking.scheduledTime} has been cancelled.`;
    await queue.add("cancellation", { to: booking.customerPhone, body });
  }
  response.json(shown(booking));
});

app.get("/api/queue/stats", async (request, response) => {
  response.json(await queue.getJobCounts("waiting", "active", "completed", "failed", "delayed"));
});

await queue.waitUntilReady();
app.listen(Number(process.env.PORT), "127.0.0.1", (error) => {
  if (error) {
    throw error;
  }
  console.log("ready");
});

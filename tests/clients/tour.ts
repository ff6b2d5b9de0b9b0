// The same tour by openapi-fetch, with the types that openapi-typescript made; prints what it saw.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { env: { URL: string; TOKEN: string } };
const api = createClient<paths>({
  baseUrl: process.env.URL,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

function there<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const query = { serviceId: "haircut", barberId: "barber_3", from: inDays(5), to: inDays(15) };
const free = there(await api.GET("/api/availability", { params: { query } })).items;
const body = {
  customerName: "Tess Type",
  customerPhone: "+44 20 7946 0102",
  serviceId: "haircut",
  barberId: free[0]!.barberId,
  scheduledTime: free[0]!.startsAt,
};
const header = { "Idempotency-Key": "tess" };
const made = await api.POST("/api/bookings", { body, params: { header } });
const again = await api.POST("/api/bookings", { body, params: { header } });
const booking = there(made);
const path = { booking_id: booking.id };
const moved = there(
  await api.PATCH("/api/bookings/{booking_id}", {
    params: { path, header: { "If-Match": made.response.headers.get("ETag") } },
    body: { scheduledTime: free[1]!.startsAt, notes: null },
  }),
);
const reminders = there(await api.GET("/api/bookings/{booking_id}/reminders", { params: { path } }));
const states = reminders.map((each) => each.state);
const retried = await api.POST("/api/bookings/{booking_id}/reminders/{number}/retry", {
  params: { path: { ...path, number: states.length } },
});
const wrong = await api.POST("/api/bookings", { body: { ...body, customerPhone: "12" } });
const found = there(await api.GET("/api/bookings", { params: { query: { q: "Tess" } } }));
const talk = await api.GET("/api/bookings/{booking_id}/conversation", { params: { path } });
const cancelled = await api.DELETE("/api/bookings/{booking_id}", { params: { path } });
console.log(
  JSON.stringify({
    barbers: there(await api.GET("/api/barbers")).items.map((each) => each.id),
    statuses: [made.response.status, again.response.status],
    "is same": there(again).id === booking.id,
    "is moved": moved.scheduledTime === free[1]!.startsAt,
    found: found.items.map((each) => each.customerName),
    states: [...new Set(states)].sort(),
    refused: retried.error?.reason,
    wrong: wrong.error?.errors?.map((each) => each.field),
    said: there(talk).items.length,
    cancelled: there(cancelled).status,
  }),
);

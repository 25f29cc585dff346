// Writes the reader's own time beside every instant in UTC. Everything works without it.
"use strict";

for (const time of document.querySelectorAll("time[datetime*='T']")) {
  const at = new Date(time.dateTime);
  if (at.getTimezoneOffset() === 0) continue;
  const own = at.toLocaleString(document.documentElement.lang, {
    weekday: "long", hour: "2-digit", minute: "2-digit",
  });
  time.after(` (${own}, your time)`);
}

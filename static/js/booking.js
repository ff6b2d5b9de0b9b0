// What somebody has opened on a booking's page stays open when a live update is merged into it.
htmx.config.morphIgnore.push("open");

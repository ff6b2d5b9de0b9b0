// pm2 start docs/deploy/ecosystem.config.js, from a shell that has the settings in its environment.
const path = require("path");

const root = path.resolve(__dirname, "../..");
const common = {
  cwd: root,
  script: path.join(root, ".venv/bin/chairtime"),
  interpreter: "none",
  // However often it ends right after its start: it is started again, each time a little later.
  exp_backoff_restart_delay: 200,
  max_restarts: 1e9,
  env: { TZ: "UTC", PYTHONUNBUFFERED: "1" },
};

module.exports = {
  apps: [
    { ...common, name: "chairtime-web", args: "serve", kill_timeout: 20000 },
    // A worker finishes what it is sending: the longest send is shorter than its own limit of 55 s.
    { ...common, name: "chairtime-worker", args: "worker", instances: 2, kill_timeout: 60000 },
  ],
};

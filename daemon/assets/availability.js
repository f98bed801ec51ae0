
// The detection time beside the heartbeat, as it is typed; in the words of the server.
const detection = document.getElementById("detection");
function detectionTime(interval, threshold) {
  const ms = Math.round(Number(interval) * Number(threshold) * SECOND * 1e6) / 1e6;
  if (!interval.trim() || !Number.isInteger(Number(threshold)) || !(ms > 0)) return "–";
  const seconds = Math.floor(ms / SECOND), minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  const two = (large, one, small, other) => small ? `${large} ${one} ${small} ${other}` : `${large} ${one}`;
  if (ms < 1) return "under 1 ms";
  if (ms < SECOND) return `${Math.floor(ms)} ms`;
  if (seconds < 10 && ms % SECOND >= 100) return `${seconds}.${Math.floor((ms % SECOND) / 100)} s`;
  if (seconds < 60) return `${seconds} s`;
  if (minutes < 60) return two(minutes, "min", seconds % 60, "s");
  return two(hours, "h", minutes % 60, "min");
}
if (detection) {
  const inputs = ["heartbeat.interval", "heartbeat.threshold"].map((id) => document.getElementById(id));
  const tell = () => { detection.value = detectionTime(...inputs.map((input) => input.value)); };
  inputs.forEach((input) => input.addEventListener("input", tell));
}

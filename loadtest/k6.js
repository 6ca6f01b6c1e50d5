// k6 as an API server's stand-in. QUESTION picks one scenario; `loadtest/k6 QUESTION` starts the server and fills in the
// rest. k6 needs several times the processor time of the server, so its peaks are its own: for those see `loadtest/run`.
import http from 'k6/http';
import exec from 'k6/execution';
import { check } from 'k6';
import { Trend } from 'k6/metrics';

const payload = (name) => {
  const text = open(`${__ENV.WORK}/payloads/create-9k-${name}.json`);
  return { text, uid: JSON.parse(text).request.uid, allowed: name !== 'breach' };
};
const [COMPLIANT, WARNING, BREACH, MISS] = ['compliant', 'warning', 'breach', 'miss'].map(payload);
// Which of ten reviews is what; by the number of the iteration, so that every run asks the same.
const MIX = [COMPLIANT, BREACH, COMPLIANT, WARNING, COMPLIANT, MISS, COMPLIANT, COMPLIANT, WARNING, COMPLIANT];
const seconds = Number(__ENV.SECONDS || 60);
const rate = Number(__ENV.RATE || 1000);
const vus = { preAllocatedVUs: 200, maxVUs: 400 };

const scenarios = {
  // Does it hold 1,000 a second, or what RATE says?
  steady: { executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: `${seconds}s`, ...vus },
  // What if all of an API server's calls come at once, each on a connection of its own?
  burst: { executor: 'per-vu-iterations', vus: 200, iterations: 1, maxDuration: '30s' },
  // Where does it end?
  ramp: { executor: 'ramping-arrival-rate', startRate: rate / 2, timeUnit: '1s', ...vus, stages: [{ target: rate * 6, duration: `${seconds}s` }] },
  // What if no connection is ever used twice? As many at a time, and as many in all, as Kyverno's own load test has.
  fresh: { executor: 'shared-iterations', vus: 100, iterations: 1000, maxDuration: '60s' },
};
// What if personas change meanwhile (the script rewrites them), and what if hits, misses and violations come mixed?
scenarios.churn = scenarios.steady;
scenarios.mixed = scenarios.steady;

const question = __ENV.QUESTION || 'steady';
if (!scenarios[question]) throw new Error(`'${question}' is not one of ${Object.keys(scenarios).join(', ')}`);

export const options = {
  scenarios: { [question]: scenarios[question] },
  insecureSkipTLSVerify: true,
  noConnectionReuse: question === 'fresh',
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  thresholds: {
    checks: ['rate==1'],
    http_req_failed: ['rate==0'],
    // On the way to the end of what both can do some have to be dropped.
    ...(question === 'ramp' ? {} : { dropped_iterations: ['count==0'] }),
  },
};

// What an API server waits for: a connection where there is none yet, and the answer.
const waited = new Trend('waited', true);

export default function () {
  const asked = question === 'mixed' ? MIX[exec.scenario.iterationInTest % MIX.length] : COMPLIANT;
  const response = http.post(`https://127.0.0.1:${__ENV.PORT}/validate-deployment?timeout=3s`, asked.text, {
    headers: { 'Content-Type': 'application/json' },
  });
  const { connecting, tls_handshaking, duration } = response.timings;
  waited.add(connecting + tls_handshaking + duration);
  const answer = response.status === 200 ? response.json('response') : {};
  check(response, {
    'the right verdict': () => answer.allowed === asked.allowed,
    'for this review': () => answer.uid === asked.uid,
    'over HTTP/1.1': (r) => r.proto === 'HTTP/1.1',
  });
}

// `loadtest/k6` makes a line of the table of it, and adds what the server spent.
export function handleSummary(data) {
  const { metrics } = data;
  const value = (metric, name) => (metrics[metric] ? metrics[metric].values[name] : 0);
  const broken = Object.entries(metrics).filter(([, metric]) => Object.values(metric.thresholds || {}).some((one) => !one.ok));
  const summary = {
    question,
    requests: value('http_reqs', 'count'),
    per_second: value('http_reqs', 'rate'),
    p50_ms: value('waited', 'med'),
    p95_ms: value('waited', 'p(95)'),
    p99_ms: value('waited', 'p(99)'),
    p999_ms: value('waited', 'p(99.9)'),
    max_ms: value('waited', 'max'),
    dropped: value('dropped_iterations', 'count'),
    failed: value('http_req_failed', 'passes'),
    wrong_checks: value('checks', 'fails'),
    broken: broken.map(([name]) => name),
  };
  return { [__ENV.SUMMARY]: JSON.stringify(summary, null, 2) };
}

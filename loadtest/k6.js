// k6 as an API server's stand-in. QUESTION picks one scenario; `loadtest/k6 QUESTION` starts the server and fills in the
// rest. k6 needs several times the processor time of the server, so its peaks are its own: for those see `loadtest/run`.
import http from 'k6/http';
import { check } from 'k6';

const payload = (name) => open(`${__ENV.WORK}/payloads/create-9k-${name}.json`);
const payloads = ['compliant', 'warning', 'breach', 'miss'].map(payload);
const [COMPLIANT, WARNING, BREACH, MISS] = [0, 1, 2, 3];
const MIX = [COMPLIANT, COMPLIANT, COMPLIANT, COMPLIANT, COMPLIANT, COMPLIANT, WARNING, WARNING, BREACH, MISS];
const seconds = Number(__ENV.SECONDS || 60);

const scenarios = {
  // Does it hold 1,000 a second?
  steady: { executor: 'constant-arrival-rate', rate: 1000, timeUnit: '1s', duration: `${seconds}s`, preAllocatedVUs: 200, maxVUs: 400 },
  // What if all of an API server's calls come at once, each on a connection of its own?
  burst: { executor: 'per-vu-iterations', vus: 200, iterations: 1, maxDuration: '30s' },
  // Where does it end?
  ramp: { executor: 'ramping-arrival-rate', startRate: 500, timeUnit: '1s', preAllocatedVUs: 100, maxVUs: 400, stages: [{ target: 6000, duration: `${seconds}s` }] },
};
// What if personas change meanwhile (the script rewrites them), and what if hits, misses and breaches come mixed?
scenarios.churn = scenarios.steady;
scenarios.mixed = scenarios.steady;

const question = __ENV.QUESTION || 'steady';
if (!scenarios[question]) throw new Error(`'${question}' is not one of ${Object.keys(scenarios).join(', ')}`);

export const options = {
  scenarios: { [question]: scenarios[question] },
  insecureSkipTLSVerify: true,
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'p(99.9)', 'max'],
  thresholds: { checks: ['rate==1'], dropped_iterations: question === 'ramp' ? [] : ['count==0'] },
};

export default function () {
  const kind = question === 'mixed' ? MIX[Math.floor(Math.random() * MIX.length)] : COMPLIANT;
  const response = http.post(`https://127.0.0.1:${__ENV.PORT}/validate-deployment?timeout=3s`, payloads[kind], {
    headers: { 'Content-Type': 'application/json' },
  });
  check(response, {
    'is a verdict': (r) => r.status === 200 && r.json('response.allowed') === (kind !== BREACH),
    'over HTTP/1.1': (r) => r.proto === 'HTTP/1.1',
  });
}

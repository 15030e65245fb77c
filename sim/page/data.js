/* data.js - the history as the page has it, and what follows from it.
 *
 * Columns, an entry an operation, in the order of their calls; times count from the first call.
 * Steps (what is done to one key) stand behind each other; most operations have one. A value is a
 * number: 0 to 3 as below, else a place in `raw.values`. */
'use strict';
const raw = JSON.parse(document.getElementById('history').textContent);
const KINDS = ['read', 'write', 'append', 'cas', 'delete', 'setnx', 'swap', 'take', 'incr', 'txn'];
const NOTHING = 0, TRUE = 1, FALSE = 2, ERROR = 3, VALUE_FIRST = 4;
const TXN = 9;
const size = raw.call.length;
const call = new Float64Array(size);
const tail = new Float64Array(size); /* Where the bar ends: the return, or some time without one. */
const first = new Int32Array(size + 1); /* The first step. */
const point = new Float64Array(size).fill(NaN);
const orderOf = new Int32Array(size).fill(-1);
const placeOf = new Int32Array(size).fill(-1); /* In its order. */
const base = BigInt(raw.base);
const culpritOf = new Map(raw.culprits.map(([i], place) => [i, place]));
let lastTime = 1; /* The end of all. */
let typical = 1; /* How long an operation takes: the median. */

const isOpen = i => raw.fate[i] === '?';
const isVoid = i => raw.fate[i] === 'n';
const numberOf = i => raw.number.length > 0 ? raw.number[i] : i;
const kindOf = i => raw.txn.length > 0 && raw.txn[i] ? TXN : raw.what[first[i]];
const opOfStep = s => { /* Steps are in the order of operations. */
    if (raw.count.length === 0) return s;
    let low = 0, high = size - 1;
    while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (first[middle] <= s) low = middle; else high = middle - 1;
    }
    return low;
};
function touches(i, key) {
    for (let s = first[i]; s < first[i + 1]; s++) if (raw.key[s] === key) return true;
    return false;
}

/* A client of the simulator has a number for each request in flight: its lane is theirs. */
const laneOf = new Int32Array(size), laneNames = [];
function decodeLanes() {
    const known_ = new Map();
    const lanes = raw.clients.map(name => {
        const group = raw.flights > 0 ? Math.floor(Number(name) / raw.flights) : name;
        if (!known_.has(group)) {
            known_.set(group, known_.size);
            laneNames.push(raw.flights > 0 ? `${group * raw.flights}-${(group + 1) * raw.flights - 1}` : name);
        }
        return known_.get(group);
    });
    for (let i = 0; i < size; i++) laneOf[i] = lanes[raw.client[i]];
}

function decode() {
    decodeLanes();
    let time = 0;
    const sample = [];
    for (let i = 0, step = 0; i < size; i++) {
        time += raw.call[i];
        call[i] = time;
        first[i] = step;
        step += raw.count.length > 0 ? raw.count[i] : 1;
        first[i + 1] = step;
        tail[i] = time + raw.took[i];
        if (tail[i] > lastTime) lastTime = tail[i];
        if (!isOpen(i) && (i & 15) === 0) sample.push(raw.took[i]);
    }
    for (const span of raw.spans) if (span[2] > lastTime) lastTime = span[2];
    if (raw.failed > lastTime) lastTime = raw.failed;
    sample.sort((a, b) => a - b);
    typical = Math.max(sample[sample.length >> 1] || 0, lastTime / Math.max(1, size) / 4, 1e-9);
    /* A bar without a return fades until its client asks again. */
    const next = new Float64Array(laneNames.length).fill(Infinity);
    for (let i = size - 1; i >= 0; i--) {
        const client = laneOf[i];
        if (isOpen(i)) {
            const room = next[client] - call[i];
            tail[i] = call[i] + Math.min(3 * typical, room > typical / 2 ? room : typical);
        }
        next[client] = call[i];
    }
    lastTime = Math.max(lastTime, size > 0 ? tail[size - 1] : 0);
}

/* ---------------------------------------------------------------- orders */

const partials = []; /* Places in raw.orders of those that get stuck. */
function placeOrder(which) {
    const order = raw.orders[which];
    for (let k = 0; k < order.operations.length; k++) {
        const i = order.operations[k];
        orderOf[i] = which;
        placeOf[i] = k;
        point[i] = order.at[k];
    }
}
function decodeOrders() {
    raw.orders.forEach((order, which) => {
        let time = 0;
        order.at = order.points.map(more => time += more);
        order.whole = order.stuck === undefined;
        if (order.whole) placeOrder(which); else partials.push(which);
    });
    partials.sort((a, b) => raw.orders[b].operations.length - raw.orders[a].operations.length);
}
/* Shows one of those that get stuck in the place of the others. */
function choosePartial(which) {
    for (const other of partials) {
        for (const i of raw.orders[other].operations) {
            orderOf[i] = placeOf[i] = -1;
            point[i] = NaN;
        }
    }
    if (which >= 0) placeOrder(which);
}

/* ---------------------------------------------------------------- values in words */

function bytesOf(coded) {
    return atob(coded).replace(/[^ -~]/g, byte =>
        '\\x' + byte.charCodeAt(0).toString(16).padStart(2, '0'));
}
const plain = part => typeof part === 'string' ? part : bytesOf(part.base64);
const cuts = new Map();
/* Without quotes, cut to `most` characters in its middle: appended texts differ at their ends. */
function shortText(code, most) {
    if (code < VALUE_FIRST) return ['nothing', 'true', 'false', 'error'][code];
    const value = raw.values[code - VALUE_FIRST];
    if (value.number !== undefined) return value.number;
    let text = value.size === undefined ? plain(value) : plain(value.head) + '…' + plain(value.tail);
    if (text.length > most) {
        const half = (most - 1) >> 1;
        text = text.slice(0, half) + '…' + text.slice(-half);
    }
    return text === '' ? '(empty)' : text;
}
function valueText(code) {
    if (code < VALUE_FIRST) return shortText(code, 9);
    const value = raw.values[code - VALUE_FIRST];
    if (value.number !== undefined) return value.number;
    return `'${shortText(code, 70)}'` + (value.size !== undefined ? ` (${value.size} bytes)` : '');
}
function stepText(s, known, most) {
    const text = code => shortText(code, most);
    const input = text(raw.input[s]), output = known ? text(raw.output[s]) : '?';
    const sign = !known ? ' ?' : raw.output[s] === TRUE ? ' ✓' : raw.output[s] === FALSE ? ' ✗' : '';
    switch (raw.what[s]) {
    case 0: return output;
    case 1: return input;
    case 2: return '+' + input;
    case 3: return `${text(raw.old[s])}→${input}${sign}`;
    case 4: return sign.trim();
    case 5: return input + sign;
    case 6: return `${output}→${input}`;
    case 7: return output;
    default: return `${raw.values[raw.input[s] - VALUE_FIRST]?.number ?? '?'}=${output}`;
    }
}
const keyText = s => raw.keys[raw.key[s]].base64 === undefined ? raw.keys[raw.key[s]]
    : bytesOf(raw.keys[raw.key[s]].base64);
const keyName = key => typeof raw.keys[key] === 'string' ? raw.keys[key] : bytesOf(raw.keys[key].base64);
/* For a bar. */
function labelOf(i, withKey) {
    const known = raw.fate[i] === 'd', kind = kindOf(i);
    if (kind === TXN) {
        const parts = [];
        for (let s = first[i]; s < first[i + 1] && parts.length < 6; s++) {
            parts.push(`${keyText(s)} ${KINDS[raw.what[s]]} ${stepText(s, known, 14)}`);
        }
        return 'txn ' + parts.join(', ');
    }
    return `${KINDS[kind]} ${withKey ? keyText(first[i]) + ' ' : ''}${stepText(first[i], known, 30)}`;
}
const shortLabelOf = i => kindOf(i) === TXN ? 'txn' : stepText(first[i], raw.fate[i] === 'd', 12);
/* In words: "read of k7 returned 'v12'". */
function stepWords(s, known) {
    const input = valueText(raw.input[s]), output = valueText(raw.output[s]), key = keyText(s);
    const won = raw.output[s] === TRUE, lost = raw.output[s] === FALSE;
    switch (raw.what[s]) {
    case 0: return known ? `read of ${key} returned ${output}` : `read of ${key}`;
    case 1: return `write of ${input} to ${key}`;
    case 2: return `append of ${input} to ${key}` +
        (known && raw.output[s] !== NOTHING ? `, then of length ${output}` : '');
    case 3: return `cas of ${key} from ${valueText(raw.old[s])} to ${input}` +
        (!known ? '' : won ? ' succeeded' : ' failed');
    case 4: return `delete of ${key}` + (!known ? '' : won ? ', which was there' : lost ? ', which was absent' : '');
    case 5: return `setnx of ${key} to ${input}` + (!known ? '' : won ? ' succeeded' : ' failed');
    case 6: return `swap of ${key} to ${input}` + (known ? ` returned ${output}` : '');
    case 7: return `take of ${key}` + (known ? ` returned ${output}` : '');
    default: return `incr of ${key} by ${input}` + (known ? ` returned ${output}` : '');
    }
}
function wordsOf(i) {
    const parts = [], known = raw.fate[i] === 'd';
    for (let s = first[i]; s < first[i + 1] && parts.length < 12; s++) parts.push(stepWords(s, known));
    if (first[i + 1] - first[i] > 12) parts.push(`and ${first[i + 1] - first[i] - 12} more`);
    return (kindOf(i) === TXN ? 'transaction: ' : '') + parts.join('; ');
}

/* ---------------------------------------------------------------- times in words */

const exact = time => base + (BigInt(Math.round(time)) << BigInt(raw.coarse));
/* Small clocks are shown as they are; large ones as seconds, from the first call if they are dates. */
const isPlain = lastTime_ => raw.coarse === 0 && lastTime_ < 100000;
const origin = () => base < 1000000000000000n ? Number(base) : 0;
const UNITS = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];
function spanText(time) {
    time *= 2 ** raw.coarse;
    if (isPlain(lastTime)) return String(Math.round(time));
    const [unit, name] = UNITS.find(([unit_]) => time >= unit_) || [1, 'ns'];
    return `${Number((time / unit).toPrecision(4))} ${name}`;
}
/* `step` says how fine it has to be; `least` is a time beside which it stands in one unit. */
function timeText(time, step, least) {
    const scale = 2 ** raw.coarse, at = time * scale + origin();
    if (isPlain(lastTime)) return String(Math.round(at));
    const large = Math.max(Math.abs(at), least === undefined ? 0 : least * scale + origin());
    const [unit, name] = UNITS.find(([unit_]) => large >= unit_) || [1, 'ns'];
    const digits = Math.ceil(Math.log10(unit / (step * scale)) - 1e-9);
    return `${(at / unit).toFixed(Math.max(0, Math.min(9, digits)))} ${name}`;
}

/* ---------------------------------------------------------------- who wrote, who saw */

let makers = null, viewers = null; /* Steps by value: [first place of each value, steps]. */
function groupBy(codesOf) {
    const start = new Int32Array(raw.values.length + 1);
    const steps = raw.what.length;
    for (let s = 0; s < steps; s++) {
        const code = codesOf(s);
        if (code >= VALUE_FIRST) start[code - VALUE_FIRST + 1]++;
    }
    for (let v = 0; v < raw.values.length; v++) start[v + 1] += start[v];
    const next = start.slice(), list = new Int32Array(start[raw.values.length]);
    for (let s = 0; s < steps; s++) {
        const code = codesOf(s);
        if (code >= VALUE_FIRST) list[next[code - VALUE_FIRST]++] = s;
    }
    return [start, list];
}
const made = s => raw.what[s] === 1 || raw.what[s] === 3 || raw.what[s] === 5 || raw.what[s] === 6
    ? raw.input[s] : NOTHING;
const saw = s => raw.what[s] === 0 || raw.what[s] === 6 || raw.what[s] === 7 ? raw.output[s]
    : raw.what[s] === 3 && raw.output[s] === TRUE ? raw.old[s] : NOTHING;
function stepsWith(groups, code, key, most) {
    const [start, list] = groups, found = [];
    if (code < VALUE_FIRST || code - VALUE_FIRST + 1 >= start.length) return found;
    for (let k = start[code - VALUE_FIRST]; k < start[code - VALUE_FIRST + 1] && found.length < most; k++) {
        if (raw.key[list[k]] === key) found.push(list[k]);
    }
    return found;
}
/* Operations that share a value with this one: who wrote what it saw, who saw what it wrote. */
function relatedTo(i, most) {
    makers = makers || groupBy(made);
    viewers = viewers || groupBy(saw);
    const related = {from: new Set(), to: new Set()};
    for (let s = first[i]; s < first[i + 1]; s++) {
        for (const other of stepsWith(makers, saw(s), raw.key[s], most)) related.from.add(opOfStep(other));
        for (const other of stepsWith(viewers, made(s), raw.key[s], most)) related.to.add(opOfStep(other));
    }
    related.from.delete(i);
    related.to.delete(i);
    return related;
}

/* ---------------------------------------------------------------- states along an order */

const known = new Map(); /* Texts that are not cut: their number. */
function codeOf(text) {
    if (known.size === 0) {
        raw.values.forEach((value, v) => { if (typeof value === 'string') known.set(value, v + VALUE_FIRST); });
    }
    if (!known.has(text)) {
        raw.values.push(text);
        known.set(text, raw.values.length - 1 + VALUE_FIRST);
    }
    return known.get(text);
}
function appended(old, more) {
    const a = old === NOTHING ? '' : raw.values[old - VALUE_FIRST];
    const b = raw.values[more - VALUE_FIRST];
    if (typeof a === 'string' && typeof b === 'string' && a.length + b.length <= 400) return codeOf(a + b);
    const sizeOf = value => value.size ?? plain(value).length;
    const head = plain(a.head ?? a), end = plain(b.tail ?? b);
    raw.values.push({head: head.slice(0, 160), tail: (plain(a.tail ?? a) + end).slice(-160), size: sizeOf(a) + sizeOf(b)});
    return raw.values.length - 1 + VALUE_FIRST;
}
function afterStep(s, now, isKnown) {
    const input = raw.input[s];
    switch (raw.what[s]) {
    case 1: case 6: return input;
    case 2: return appended(now, input);
    case 3: return (isKnown ? raw.output[s] === TRUE : raw.old[s] === now) ? input : now;
    case 4: case 7: return NOTHING;
    case 5: return now === NOTHING ? input : now;
    case 8: {
        const text = now === NOTHING ? '0' : raw.values[now - VALUE_FIRST];
        const more = raw.values[input - VALUE_FIRST]?.number;
        if (typeof text !== 'string' || !/^(0|-?[1-9]\d{0,18})$/.test(text) || more === undefined) return now;
        return codeOf(String(BigInt(text) + BigInt(more)));
    }
    default: return now;
    }
}
/* For each step of an order's operations [key, before, after]. */
function statesOf(which) {
    const order = raw.orders[which];
    if (order.states === undefined) {
        const state = new Map();
        order.states = order.operations.map(i => {
            const list = [];
            for (let s = first[i]; s < first[i + 1]; s++) {
                const before = state.get(raw.key[s]) ?? NOTHING;
                const after = afterStep(s, before, raw.fate[i] === 'd');
                state.set(raw.key[s], after);
                list.push([raw.key[s], before, after]);
            }
            return list;
        });
        order.end = state;
    }
    return order.states;
}

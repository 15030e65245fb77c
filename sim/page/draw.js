/* draw.js - lanes, and what of them lies in the window.
 *
 * Bars of one row never overlap, so the row's operations in the window are found by bisection; where
 * many fall on one pixel they are drawn as one, and skipped by bisection too. A frame costs what is
 * on the screen, however long the history. */
const canvas = document.getElementById('picture'), ctx = canvas.getContext('2d');
const overview = document.getElementById('overview'), small = overview.getContext('2d');
const GUTTER = 96, AXIS = 26, BAND_ROW = 14;
const view = {from: 0, to: 1, top: 0, key: -1, bound: null, colour: 'what', hover: -1, chosen: -1, partial: -1};
const box = {width: 0, height: 0, ratio: 1};
const band = {height: 0, lanes: []};
let colours = {}, rows = null, drawn = 0, density = null;

const timeAt = x => view.from + (x - GUTTER) / (box.width - GUTTER) * (view.to - view.from);
const xOf = time => GUTTER + (time - view.from) / (view.to - view.from) * (box.width - GUTTER);
const bandHeight = () => band.height;
const lanesTop = () => AXIS + bandHeight();

function readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['ground', 'paper', 'ink', 'quiet', 'line', 'soft', 'accent', 'good', 'bad', 'doubt', 'bad-soft', 'lane',
        'grid', 'point', 'halo', 'order', 'bar-ink', ...KINDS]) {
        colours[name] = style.getPropertyValue('--' + name).trim();
    }
    colours.dark = document.documentElement.dataset.theme === 'dark';
}

/* ---------------------------------------------------------------- lanes and rows */

const touchesView = i => {
    if (view.bound === null) return touches(i, view.key);
    for (let s = first[i]; s < first[i + 1]; s++) if (view.bound.has(raw.key[s])) return true;
    return false;
};
const LANES_PLAIN_MAX = 40, ROWS_MAX = 12;
/* Within a client: each operation in the first row that is free; clients that pipeline need some. */
function placeInRows(rowIn, clients) {
    for (let i = 0; i < size; i++) {
        if (view.key >= 0 && !touchesView(i)) continue;
        const c = laneOf[i];
        const client = clients[c] = clients[c] || {c, ends: [], from: call[i], to: 0};
        let row = client.ends.findIndex(end => end <= call[i]);
        if (row < 0) {
            row = client.ends.length < ROWS_MAX ? client.ends.length
                : client.ends.indexOf(Math.min(...client.ends));
        }
        client.ends[row] = tail[i];
        client.to = Math.max(client.to, tail[i]);
        rowIn[i] = row;
    }
}
/* A lane a client; when there are many, a client that begins takes the lane of one that has ended:
 * after an unknown outcome a client goes on under another number. */
function placeInLanes(clients) {
    const lanes = [];
    const busy = clients.filter(Boolean);
    const pack = busy.length > LANES_PLAIN_MAX;
    if (pack) busy.sort((a, b) => a.from - b.from);
    for (const client of busy) {
        let best = -1;
        for (let l = 0; pack && l < Math.min(lanes.length, 400); l++) {
            if (lanes[l].to <= client.from && (best < 0 || lanes[l].to > lanes[best].to)) best = l;
        }
        if (best < 0) lanes.push({to: 0, rows: 0, client: client.c, count: 0});
        const lane = lanes[best < 0 ? lanes.length - 1 : best];
        lane.to = client.to;
        lane.rows = Math.max(lane.rows, client.ends.length);
        lane.count++;
        client.lane = lane;
    }
    return lanes.sort((a, b) => a.client - b.client);
}
function arrange() {
    const rowIn = new Int32Array(size).fill(-1), clients = [];
    placeInRows(rowIn, clients);
    const lanes = placeInLanes(clients);
    let total = 0;
    for (const lane of lanes) {
        lane.first = total;
        total += lane.rows;
    }
    const start = new Int32Array(total + 1);
    for (let i = 0; i < size; i++) {
        if (rowIn[i] < 0) continue;
        rowIn[i] += clients[laneOf[i]].lane.first;
        start[rowIn[i] + 1]++;
    }
    for (let r = 0; r < total; r++) start[r + 1] += start[r];
    const next = start.slice(), list = new Int32Array(start[total]);
    for (let i = 0; i < size; i++) if (rowIn[i] >= 0) list[next[rowIn[i]]++] = i;
    rows = {lanes, total, start, list, of: rowIn, y: new Float64Array(total)};
    density = null;
    measure();
}
/* Heights: as tall as fits, within what can be read. */
function measure() {
    const room = box.height - lanesTop() - 6;
    const pad = rows.lanes.length > 24 ? 3 : rows.lanes.length > 12 ? 7 : 12;
    const height = (room - 4 - rows.lanes.length * pad) / Math.max(1, rows.total) - 1;
    rows.height = Math.max(11, Math.min(30, Math.floor(height)));
    let y = 4;
    for (const lane of rows.lanes) {
        lane.y = y;
        for (let r = 0; r < lane.rows; r++) rows.y[lane.first + r] = y + pad / 2 + r * (rows.height + 1);
        y += pad + lane.rows * (rows.height + 1);
        lane.bottom = y;
    }
    rows.tall = y + 4;
    view.top = Math.max(0, Math.min(view.top, rows.tall - room));
}
/* The first operation of a row whose bar ends behind `time`. */
function firstIn(row, time) {
    let low = rows.start[row], high = rows.start[row + 1];
    while (low < high) {
        const middle = (low + high) >> 1;
        if (tail[rows.list[middle]] < time) low = middle + 1; else high = middle;
    }
    return low;
}
const middleOf = i => lanesTop() - view.top + rows.y[rows.of[i]] + rows.height / 2;
/* Points lie low in a bar that is tall enough, so that its label stays free. */
const pointRadius = () => Math.min(3.4, rows.height / 5);
const pointY = i => middleOf(i) + (rows.height >= 20 ? rows.height / 2 - pointRadius() - 2.5 : rows.height / 2 - 1);
const isShown = i => rows.of[i] >= 0;

/* ---------------------------------------------------------------- colours of bars */

/* What an operation left or saw, as a colour: equal values have equal colours. */
function valueColour(i) {
    const s = first[i];
    let code = saw(s) >= VALUE_FIRST ? saw(s) : raw.input[s];
    if (raw.what[s] === 4 || code < VALUE_FIRST) return colours.txn;
    const hue = (code * 137.508) % 360;
    return colours.dark ? `hsl(${hue} 48% 52%)` : `hsl(${hue} 58% 47%)`;
}
const barColour = i => view.colour === 'value' ? valueColour(i) : colours[KINDS[kindOf(i)]];

/* ---------------------------------------------------------------- parts of a frame */

function roundedBar(x, y, width, height) {
    const radius = Math.min(4, width / 2, height / 2);
    ctx.beginPath();
    ctx.roundRect(x, y, width, height, radius);
}
function drawLabel(i, x, y, width) {
    const left = Math.max(x, GUTTER) + 6;
    const room = Math.min(x + width, box.width) - left - 4;
    if (room < 14 || rows.height < 11) return;
    for (const label of [labelOf(i, view.key < 0 || view.bound !== null), shortLabelOf(i)]) {
        if (label !== '' && ctx.measureText(label).width <= room) {
            ctx.fillText(label, left, y + rows.height * (orderOf[i] >= 0 && rows.height >= 20 ? .42 : .5) + .5);
            return;
        }
    }
}
function drawBar(i, x0, x1, y) {
    const width = Math.max(2, x1 - x0), colour = barColour(i);
    roundedBar(x0, y, width, rows.height);
    if (isVoid(i)) {
        ctx.setLineDash([3, 3]);
        ctx.strokeStyle = colours.quiet;
        ctx.lineWidth = 1;
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.fillStyle = colours.quiet;
    } else {
        ctx.fillStyle = colour;
        if (isOpen(i)) {
            const fade = ctx.createLinearGradient(x0, 0, x0 + width, 0);
            fade.addColorStop(0, colour);
            fade.addColorStop(.35, colour);
            fade.addColorStop(1, 'transparent');
            ctx.fillStyle = fade;
        }
        ctx.fill();
        ctx.fillStyle = colours['bar-ink'];
    }
    drawLabel(i, x0, y, width);
    drawn++;
}
/* Bars too thin to be told apart, as one. */
function drawRun(x0, x1, y) {
    ctx.globalAlpha = .55;
    ctx.fillStyle = colours.txn;
    ctx.fillRect(x0, y + 1, Math.max(1, x1 - x0), rows.height - 2);
    ctx.globalAlpha = 1;
    drawn++;
}
function drawRow(row, y) {
    const end = rows.start[row + 1], perPixel = (view.to - view.from) / (box.width - GUTTER);
    for (let k = firstIn(row, view.from); k < end;) {
        const i = rows.list[k];
        if (call[i] > view.to) return;
        const x0 = xOf(call[i]), x1 = xOf(tail[i]);
        if (x1 - x0 >= 3) {
            drawBar(i, x0, x1, y);
            k++;
            continue;
        }
        let reach = Math.max(x1, x0 + 1), count = 1;
        for (k++; k < end; count++) {
            const other = rows.list[k], from = xOf(call[other]), to = xOf(tail[other]);
            if (from > reach + 1 || to - from >= 3 || from > box.width) break;
            reach = Math.max(reach, to, from + 1);
            const skip = firstIn(row, call[other] + perPixel / 2);
            k = Math.max(k + 1, Math.min(skip, end));
        }
        if (count === 1) drawBar(i, x0, Math.max(x1, x0 + 2), y); else drawRun(x0, reach, y);
    }
}
function drawLanes() {
    const top = lanesTop();
    ctx.font = `${Math.min(12, rows.height - 1)}px system-ui, "DejaVu Sans", sans-serif`;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    rows.lanes.forEach((lane, place) => {
        const y = top - view.top + lane.y;
        if (y > box.height || top - view.top + lane.bottom < top) return;
        if (place % 2 === 0) {
            ctx.fillStyle = colours.lane;
            ctx.fillRect(GUTTER, y, box.width - GUTTER, lane.bottom - lane.y);
        }
    });
    drawGrid();
    for (const lane of rows.lanes) {
        if (top - view.top + lane.y > box.height || top - view.top + lane.bottom < top) continue;
        for (let r = lane.first; r < lane.first + lane.rows; r++) drawRow(r, top - view.top + rows.y[r]);
    }
}
/* A lane's name: whoever is at work there in the window. */
function laneName(lane) {
    let client = -1;
    for (let r = lane.first; r < lane.first + lane.rows && client < 0; r++) {
        const k = Math.min(firstIn(r, view.from), rows.start[r + 1] - 1);
        if (k >= rows.start[r]) client = laneOf[rows.list[k]];
    }
    return 'client ' + laneNames[client < 0 ? lane.client : client];
}
function drawGutter() {
    const top = lanesTop();
    ctx.fillStyle = colours.paper;
    ctx.fillRect(0, 0, GUTTER, box.height);
    ctx.fillStyle = colours.line;
    ctx.fillRect(GUTTER - 1, 0, 1, box.height);
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, top, GUTTER, box.height - top);
    ctx.clip();
    ctx.font = '12px system-ui, "DejaVu Sans", sans-serif';
    ctx.fillStyle = colours.quiet;
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    for (const lane of rows.lanes) {
        const y = top - view.top + (lane.y + lane.bottom) / 2;
        if (y > top - 20 && y < box.height + 20) ctx.fillText(laneName(lane), GUTTER - 10, y, GUTTER - 14);
    }
    ctx.restore();
    const room = box.height - top;
    if (rows.tall > room) { /* How far down one is. */
        ctx.fillStyle = colours.line;
        ctx.fillRect(2, top + view.top / rows.tall * room, 3, Math.max(16, room * room / rows.tall));
    }
}

/* ---------------------------------------------------------------- time */

function tickStep() {
    const rough = (view.to - view.from) / Math.max(2, (box.width - GUTTER) / 120);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map(times => times * power).find(step => step >= rough);
}
function eachTick(act) {
    const step = tickStep(), shift = origin() / 2 ** raw.coarse % step;
    for (let time = Math.ceil((view.from + shift) / step) * step - shift; time <= view.to; time += step) {
        act(xOf(time), time, step);
    }
}
function drawGrid() {
    ctx.fillStyle = colours.grid;
    eachTick(x => ctx.fillRect(Math.round(x), AXIS, 1, box.height));
}
function drawAxis() {
    ctx.fillStyle = colours.paper;
    ctx.fillRect(0, 0, box.width, AXIS);
    ctx.fillStyle = colours.line;
    ctx.fillRect(0, AXIS - 1, box.width, 1);
    ctx.font = '11.5px system-ui, "DejaVu Sans", sans-serif';
    ctx.fillStyle = colours.quiet;
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'center';
    eachTick((x, time, step) => {
        if (x > GUTTER + 24 && x < box.width - 20) ctx.fillText(timeText(time, step, view.to), x, AXIS / 2);
    });
}

/* ---------------------------------------------------------------- the band: what struck the nodes */

const SPAN_COLOURS = {leader: 'accent', down: 'ink', partition: 'cas', stream: 'write', crash: 'bad', 'crash point': 'bad',
    pause: 'setnx', clock: 'incr', snapshot: 'append', transfer: 'accent', membership: 'read', database: 'take'};
const spanColour = kind => colours[SPAN_COLOURS[kind] || 'swap'];
/* A lane a node, and one for what strikes the cluster; what overlaps lies in rows, three at most. A
 * thin line at a lane's foot shows who led. */
function arrangeBand() {
    let y = AXIS + 5;
    for (let lane = 0; raw.lanes > 0 && lane <= raw.lanes; lane++) {
        const ends = [];
        for (const span of raw.spans.filter(span_ => span_[0] === lane && span_[3] !== 'leader')
            .sort((a, b) => a[1] - b[1])) {
            let row = ends.findIndex(end => end <= span[1]);
            if (row < 0) row = ends.length < 3 ? ends.length : ends.indexOf(Math.min(...ends));
            ends[row] = Math.max(span[2], span[1] + lastTime / 300);
            span.row = row;
        }
        const height = Math.max(1, ends.length) * BAND_ROW + 5;
        band.lanes.push({y, height});
        y += height + 3;
    }
    band.height = raw.lanes > 0 ? y + 2 - AXIS : 0;
}
function spanBox(span) {
    const [place, from, to, kind] = span, x = xOf(from), lane = band.lanes[place];
    const width = Math.max(3, xOf(to) - x);
    return kind === 'leader' ? [x, lane.y + lane.height - 4, width, 3]
        : [x, lane.y + span.row * BAND_ROW, width, BAND_ROW - 2];
}
function drawBand() {
    if (raw.lanes === 0) return;
    ctx.fillStyle = colours.soft;
    ctx.fillRect(0, AXIS, box.width, bandHeight());
    ctx.font = '11px system-ui, "DejaVu Sans", sans-serif';
    ctx.textBaseline = 'middle';
    ctx.textAlign = 'left';
    for (const span of raw.spans) {
        const [x, y, width, height] = spanBox(span), kind = span[3];
        if (x > box.width || x + width < GUTTER) continue;
        ctx.fillStyle = spanColour(kind);
        ctx.globalAlpha = kind === 'leader' ? 1 : kind === 'down' ? .8 : .32;
        ctx.fillRect(x, y, width, height);
        ctx.globalAlpha = 1;
        if (kind !== 'leader' && kind !== 'down') ctx.fillRect(x, y, Math.min(width, 3), height);
        const left = Math.max(x, GUTTER) + 6, room = Math.min(x + width, box.width) - left - 3;
        const text = [span[4], span[4].split(' ')[0]].find(words => ctx.measureText(words).width < room);
        if (kind !== 'leader' && text !== undefined) {
            ctx.fillStyle = kind === 'down' ? colours.paper : colours.ink;
            ctx.fillText(text, left, y + height / 2 + .5);
        }
    }
    ctx.fillStyle = colours.line;
    ctx.fillRect(0, AXIS + bandHeight() - 1, box.width, 1);
}
function drawBandNames() {
    if (raw.lanes === 0) return;
    ctx.fillStyle = colours.soft;
    ctx.fillRect(0, AXIS, GUTTER - 1, bandHeight() - 1);
    ctx.fillStyle = colours.quiet;
    ctx.font = '12px system-ui, "DejaVu Sans", sans-serif';
    ctx.textAlign = 'right';
    ctx.textBaseline = 'middle';
    band.lanes.forEach((lane, place) => {
        ctx.fillText(place === 0 ? 'cluster' : 'node ' + place, GUTTER - 10, lane.y + lane.height / 2);
    });
}

/* ---------------------------------------------------------------- the order */

/* The order that the line shows: of the key on view, or of the operation that is looked at. */
function activeOrder() {
    if (view.partial >= 0) return view.partial;
    for (const i of [view.chosen, view.hover]) if (i >= 0 && orderOf[i] >= 0) return orderOf[i];
    if (view.key >= 0) {
        const found = orderByKey.get(view.key);
        return found === undefined ? -1 : found;
    }
    return raw.orders.length === 1 && raw.orders[0].whole ? 0 : -1;
}
let orderByKey = new Map();
function indexOrders() {
    orderByKey = new Map();
    raw.orders.forEach((order, which) => {
        if (!order.whole || order.operations.length === 0) return;
        for (const i of order.operations) {
            for (let s = first[i]; s < first[i + 1]; s++) orderByKey.set(raw.key[s], which);
        }
    });
}
function lowerBound(list, value) {
    let low = 0, high = list.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle] < value) low = middle + 1; else high = middle;
    }
    return low;
}
function drawOrderLine() {
    const which = activeOrder();
    if (which < 0) return;
    const order = raw.orders[which];
    const from = Math.max(0, lowerBound(order.at, view.from) - 1);
    const to = Math.min(order.at.length, lowerBound(order.at, view.to) + 1);
    let last = null;
    if (to - from <= 600) {
        ctx.beginPath();
        for (let k = from; k < to; k++) {
            const i = order.operations[k];
            if (!isShown(i)) continue;
            const x = xOf(order.at[k]), y = pointY(i);
            if (last === null) ctx.moveTo(x, y); else ctx.lineTo(x, y);
            last = [x, y];
        }
        ctx.strokeStyle = colours.order;
        ctx.globalAlpha = .6;
        ctx.lineWidth = 1.4;
        ctx.lineJoin = 'round';
        ctx.stroke();
        ctx.globalAlpha = 1;
    }
    /* Where it ends it gets stuck; one that holds all others does not end there. */
    if (!order.whole && isShown(order.stuck)) drawStuck(order, to === order.at.length ? last : null);
}
function drawStuck(order, last) {
    const i = order.stuck;
    const x = Math.max(xOf(call[i]) + 7, Math.min(xOf(tail[i]) - 7, box.width - 12)), y = middleOf(i);
    ctx.strokeStyle = colours.bad;
    ctx.lineWidth = 1.6;
    if (last !== null) {
        ctx.setLineDash([5, 4]);
        ctx.beginPath();
        ctx.moveTo(last[0], last[1]);
        ctx.lineTo(x, y);
        ctx.stroke();
        ctx.setLineDash([]);
    }
    ctx.lineWidth = 6;
    ctx.strokeStyle = colours.halo;
    for (const pass of [0, 1]) {
        ctx.beginPath();
        ctx.moveTo(x - 5, y - 5);
        ctx.lineTo(x + 5, y + 5);
        ctx.moveTo(x + 5, y - 5);
        ctx.lineTo(x - 5, y + 5);
        ctx.stroke();
        ctx.lineWidth = 3;
        ctx.strokeStyle = colours.bad;
        if (pass === 1) break;
    }
}
function drawPoints() {
    const perPixel = (view.to - view.from) / (box.width - GUTTER);
    const radius = pointRadius();
    const top = lanesTop();
    for (const lane of rows.lanes) {
        if (top - view.top + lane.y > box.height || top - view.top + lane.bottom < top) continue;
        for (let r = lane.first; r < lane.first + lane.rows; r++) {
            for (let k = firstIn(r, view.from); k < rows.start[r + 1] && call[rows.list[k]] <= view.to; k++) {
                const i = rows.list[k];
                if (Number.isNaN(point[i])) continue;
                if (tail[i] - call[i] < 5 * perPixel) { /* On to the next pixel. */
                    k = Math.max(k, firstIn(r, call[i] + 3 * perPixel) - 1);
                    continue;
                }
                const x = xOf(point[i]), y = pointY(i);
                if (point[i] > tail[i]) { /* Long after the call; nobody knows when it returned. */
                    ctx.strokeStyle = barColour(i);
                    ctx.setLineDash([2, 3]);
                    ctx.lineWidth = 1.5;
                    ctx.beginPath();
                    ctx.moveTo(xOf(tail[i]) - 6, y);
                    ctx.lineTo(x, y);
                    ctx.stroke();
                    ctx.setLineDash([]);
                }
                ctx.beginPath();
                ctx.arc(x, y, radius + 1.3, 0, 7);
                ctx.fillStyle = colours.halo;
                ctx.fill();
                ctx.beginPath();
                ctx.arc(x, y, radius, 0, 7);
                ctx.fillStyle = colours.point;
                ctx.fill();
            }
        }
    }
}

/* ---------------------------------------------------------------- what stands out */

function frameBar(i, colour, width, grow) {
    if (i < 0 || !isShown(i)) return;
    const x0 = xOf(call[i]), x1 = Math.max(xOf(tail[i]), x0 + 4);
    if (x1 < GUTTER - 40 || x0 > box.width + 40) return;
    const y = middleOf(i) - rows.height / 2;
    ctx.lineWidth = width + 2;
    ctx.strokeStyle = colours.halo;
    roundedBar(x0 - grow, y - grow, x1 - x0 + 2 * grow, rows.height + 2 * grow);
    ctx.stroke();
    ctx.lineWidth = width;
    ctx.strokeStyle = colour;
    ctx.stroke();
}
function drawBadges() {
    for (const [i, place] of culpritOf) {
        if (!isShown(i)) continue;
        const x = xOf(call[i]) - 2, y = middleOf(i) - rows.height / 2 - 1;
        if (x < GUTTER - 10 || x > box.width) continue;
        ctx.beginPath();
        ctx.arc(x, y, 8.5, 0, 7);
        ctx.fillStyle = colours.bad;
        ctx.fill();
        ctx.strokeStyle = colours.halo;
        ctx.lineWidth = 1.5;
        ctx.stroke();
        ctx.fillStyle = colours.paper;
        ctx.font = 'bold 11px system-ui, "DejaVu Sans", sans-serif';
        ctx.textAlign = 'center';
        ctx.textBaseline = 'middle';
        ctx.fillText(String(place + 1), x, y + .5);
    }
}
function drawTurning() {
    const marks = [];
    if (raw.turning !== undefined) marks.push([tail[raw.turning], 'illegal from here on']);
    if (raw.failed !== undefined) marks.push([raw.failed, 'found to be wrong']);
    for (const [time, text] of marks) {
        const x = Math.round(xOf(time));
        if (x < GUTTER || x > box.width) continue;
        ctx.strokeStyle = colours.bad;
        ctx.lineWidth = 2;
        ctx.setLineDash([6, 4]);
        ctx.beginPath();
        ctx.moveTo(x, AXIS);
        ctx.lineTo(x, box.height);
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.font = '11.5px system-ui, "DejaVu Sans", sans-serif';
        ctx.fillStyle = colours.bad;
        ctx.textBaseline = 'bottom';
        const width = ctx.measureText(text).width, left = x + width + 12 > box.width;
        ctx.textAlign = left ? 'right' : 'left';
        ctx.fillText(text, left ? x - 6 : x + 6, box.height - 6);
    }
}
function drawRelated() {
    const i = view.chosen >= 0 ? view.chosen : view.hover;
    if (i < 0 || !isShown(i)) return;
    const related = relatedTo(i, 60);
    const arrow = (a, b) => {
        if (!isShown(a) || !isShown(b)) return;
        const x0 = xOf(tail[a]), y0 = middleOf(a), x1 = xOf(call[b]), y1 = middleOf(b);
        const bend = Math.max(24, Math.abs(x1 - x0) / 3);
        ctx.strokeStyle = colours.accent;
        ctx.lineWidth = 1.5;
        ctx.setLineDash([4, 3]);
        ctx.beginPath();
        ctx.moveTo(x0, y0);
        ctx.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 5, y1);
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.beginPath();
        ctx.moveTo(x1 - 7, y1 - 4);
        ctx.lineTo(x1, y1);
        ctx.lineTo(x1 - 7, y1 + 4);
        ctx.fillStyle = colours.accent;
        ctx.fill();
    };
    for (const other of related.from) {
        arrow(other, i);
        frameBar(other, colours.accent, 1.5, 1);
    }
    for (const other of related.to) {
        arrow(i, other);
        frameBar(other, colours.accent, 1.5, 1);
    }
}

/* ---------------------------------------------------------------- frames */

function draw() {
    ctx.setTransform(box.ratio, 0, 0, box.ratio, 0, 0);
    ctx.fillStyle = colours.paper;
    ctx.fillRect(0, 0, box.width, box.height);
    drawn = 0;
    ctx.save();
    ctx.beginPath();
    ctx.rect(GUTTER, lanesTop(), box.width - GUTTER, box.height);
    ctx.clip();
    drawLanes();
    drawOrderLine();
    drawPoints();
    drawRelated();
    for (const i of culpritOf.keys()) frameBar(i, colours.bad, 2.5, 1);
    frameBar(view.hover, colours.ink, 1.5, 1);
    frameBar(view.chosen, colours.accent, 2, culpritOf.has(view.chosen) ? 4 : 1);
    drawBadges();
    ctx.restore();
    drawBand();
    drawAxis();
    drawGutter();
    drawBandNames();
    drawTurning();
    drawOverview();
}
function makeDensity(width, height) {
    const bins = new Float64Array(width);
    for (let i = 0; i < size; i++) {
        if (rows.of[i] >= 0) bins[Math.min(width - 1, Math.floor(call[i] / lastTime * width))]++;
    }
    const most = Math.max(1, ...bins);
    density = document.createElement('canvas');
    density.width = width;
    density.height = height;
    const to = density.getContext('2d');
    to.fillStyle = colours.txn;
    to.globalAlpha = .6;
    for (let x = 0; x < width; x++) {
        const tall = bins[x] === 0 ? 0 : Math.max(2, Math.sqrt(bins[x] / most) * (height - 14));
        to.fillRect(x, height - tall - 3, 1, tall);
    }
    to.globalAlpha = 1;
    for (const span of raw.spans) {
        to.fillStyle = spanColour(span[3]);
        if (span[3] !== 'leader') to.fillRect(span[1] / lastTime * width, 2, Math.max(1, (span[2] - span[1]) / lastTime * width), 3);
    }
    to.fillStyle = colours.bad;
    for (const i of culpritOf.keys()) to.fillRect(Math.floor(call[i] / lastTime * width) - 1, 0, 3, height);
}
function drawOverview() {
    const width = overview.clientWidth, height = overview.clientHeight;
    if (width === 0) return;
    if (overview.width !== Math.round(width * box.ratio)) {
        overview.width = Math.round(width * box.ratio);
        overview.height = Math.round(height * box.ratio);
        density = null;
    }
    if (density === null) makeDensity(Math.round(width), Math.round(height));
    small.setTransform(box.ratio, 0, 0, box.ratio, 0, 0);
    small.clearRect(0, 0, width, height);
    small.drawImage(density, 0, 0, width, height);
    const x0 = view.from / lastTime * width, x1 = Math.max(x0 + 4, view.to / lastTime * width);
    small.fillStyle = colours.accent;
    small.globalAlpha = .14;
    small.fillRect(x0, 0, x1 - x0, height);
    small.globalAlpha = 1;
    small.strokeStyle = colours.accent;
    small.lineWidth = 1.5;
    small.strokeRect(x0 + .75, .75, x1 - x0 - 1.5, height - 1.5);
}

/* page.js - what the user does, and the text beside the picture. */
const byId = id => document.getElementById(id);
const root = document.documentElement;

function element(tag, attributes, ...children) {
    const made_ = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
        if (name === 'click') made_.addEventListener('click', value); else made_.setAttribute(name, value);
    }
    made_.append(...children.filter(child => child !== null && child !== ''));
    return made_;
}

let frame = 0;
function redraw() {
    if (frame === 0) {
        frame = requestAnimationFrame(() => {
            frame = 0;
            draw();
        });
    }
}

/* ---------------------------------------------------------------- the window */

function show(from, to) {
    const least = Math.max(typical / 200, lastTime * 1e-9), whole = lastTime * 1.04;
    const span = Math.max(least, Math.min(to - from, whole));
    const middle = (from + to) / 2;
    view.from = Math.max(-lastTime * .02, Math.min(middle - span / 2, lastTime * 1.02 - span));
    view.to = view.from + span;
    root.dataset.from = Math.round(view.from);
    root.dataset.to = Math.round(view.to);
    redraw();
}
function zoom(factor, at) {
    const middle = at === undefined ? (view.from + view.to) / 2 : at;
    show(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
}
const move = part => show(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);
function scrollLanes(by) {
    const room = box.height - lanesTop() - 6;
    view.top = Math.max(0, Math.min(view.top + by, rows.tall - room));
    redraw();
}
function bringIntoView(i) {
    if (!isShown(i)) return;
    const room = box.height - lanesTop(), y = rows.y[rows.of[i]];
    if (y < view.top + 10 || y > view.top + room - rows.height - 16) {
        view.top = 0;
        scrollLanes(y - room / 2);
    }
    if (tail[i] < view.from || call[i] > view.to) {
        const span = Math.max(view.to - view.from, (tail[i] - call[i]) * 2);
        show((call[i] + tail[i]) / 2 - span / 2, (call[i] + tail[i]) / 2 + span / 2);
    }
}
const zoomTo = i => {
    const length = tail[i] - call[i] || typical;
    show(call[i] - length * 3, tail[i] + length * 3);
};

/* Where it opens: on what does not fit, with some of what happened around it; else on the beginning,
 * as much of it as can be read. */
function wrongOperations() {
    const list = [...culpritOf.keys()];
    for (const which of partials) list.push(raw.orders[which].stuck);
    if (raw.turning !== undefined) list.push(raw.turning);
    return list;
}
/* The neighbours of operations on the key that is shown: some before, some after. */
function neighbourhood(wrong) {
    const near = [], list = [];
    let low = Infinity, high = -Infinity, from = Infinity, to = -Infinity;
    for (let i = 0; i < size; i++) if (isShown(i)) list.push(i);
    for (const i of wrong) {
        const place = list.indexOf(i);
        low = Math.min(low, place);
        high = Math.max(high, place);
        from = Math.min(from, call[i]);
        to = Math.max(to, isOpen(i) ? call[i] : tail[i]);
    }
    const reach = Math.max(to - from, typical / 100);
    for (const i of list.slice(Math.max(0, low - 8), high + 7)) {
        if (tail[i] > from - 6 * reach && call[i] < to + 4 * reach) near.push(i);
    }
    return near;
}
/* A run that failed otherwise: the moment, and what led to it: some operations, some faults. */
function openOnFailure() {
    if (raw.failed === undefined) return false;
    const before = lowerBound(call, raw.failed);
    const faults = raw.spans.filter(span => span[3] !== 'leader' && span[1] < raw.failed).map(span => span[1]);
    const from = Math.min(call[Math.max(0, before - 40)] ?? 0, faults.sort((a, b) => b - a)[3] ?? 0);
    show(from - (raw.failed - from) * .05, raw.failed + (raw.failed - from) * .12);
    return true;
}
function openOnViolation() {
    const wrong = wrongOperations();
    if (wrong.length === 0) return openOnFailure();
    const keys = new Set();
    for (const i of wrong) for (let s = first[i]; s < first[i + 1]; s++) keys.add(raw.key[s]);
    setKey(raw.key[first[wrong[0]]], keys);
    let from = Infinity, to = -Infinity;
    for (const i of neighbourhood(wrong.filter(isShown))) {
        from = Math.min(from, call[i]);
        to = Math.max(to, tail[i]);
    }
    show(from - (to - from) * .06, to + (to - from) * .12);
    const ys = wrong.filter(isShown).map(i => rows.y[rows.of[i]]);
    view.top = 0;
    if (Math.max(...ys) > box.height - lanesTop() - 40) scrollLanes(Math.min(...ys) - 60);
    return true;
}
function openOnBeginning() {
    if (size <= 250 || raw.lanes > 0) show(-lastTime * .02, lastTime * 1.02); else show(-call[150] * .02, call[150]);
}

/* ---------------------------------------------------------------- one operation in words */

const fateText = i => isOpen(i) ? 'unknown: it may take effect at any time after the call, or never'
    : isVoid(i) ? 'certainly had no effect' : 'done';
function rowsOf(list) {
    const to = element('dl', {class: 'what'});
    for (const [name, ...value] of list) {
        if (value.some(part => part !== '' && part !== null && part !== undefined)) {
            to.append(element('dt', {}, name), element('dd', {}, ...value));
        }
    }
    return to;
}
const code_ = text => element('code', {}, text);
function stateRows(i) {
    if (orderOf[i] < 0 || raw.orders[orderOf[i]].operations.length > 200000 || raw.total > size) return [];
    return statesOf(orderOf[i])[placeOf[i]].slice(0, 6).flatMap(([key, before, after]) => {
        const of = first[i + 1] - first[i] > 1 ? ' ' + keyName(key) : '';
        return before === after ? [[`State${of}`, code_(valueText(before))]]
            : [[`Before${of}`, code_(valueText(before))], [`After${of}`, code_(valueText(after))]];
    });
}
function relatedRows(i) {
    const {from, to} = relatedTo(i, 20);
    const names = set => [...set].slice(0, 4).map(other =>
        `${KINDS[kindOf(other)]} by client ${raw.clients[raw.client[other]]} at ${timeText(call[other], typical)}`).join('; ') +
        (set.size > 4 ? ` and ${set.size === 20 ? 'others' : set.size - 4 + ' more'}` : '');
    return [['Written by', names(from)], ['Seen by', names(to)]];
}
function factsOf(i) {
    const took = isOpen(i) ? '' : `, after ${spanText(tail[i] - call[i])}`;
    const order = orderOf[i] < 0 ? null : raw.orders[orderOf[i]];
    const stuck = partials.some(which => raw.orders[which].stuck === i);
    return rowsOf([
        ['Client', raw.clients[raw.client[i]]],
        ['Node', raw.node.length > 0 && raw.node[i] > 0 ? String(raw.node[i]) : ''],
        ['Command', raw.name.length > 0 ? raw.names[raw.name[i]] : ''],
        ['Number', `${numberOf(i) + 1} of ${raw.total}`],
        ['Call', `${timeText(call[i], typical / 50)} (${exact(call[i])}${raw.coarse > 0 ? ', rounded' : ''})`],
        ['Return', isOpen(i) ? 'none' : `${timeText(tail[i], typical / 50)} (${exact(tail[i])})${took}`],
        ['Outcome', fateText(i)],
        ['Order', order !== null ? `${placeOf[i] + 1} of ${order.operations.length}, at ${timeText(point[i], typical / 50)}`
            : stuck ? 'fits nowhere' : raw.orders.length > 0 ? 'not placed' : ''],
        ...stateRows(i),
        ...relatedRows(i)
    ]);
}
function describe(i, to) {
    const dot = element('i');
    dot.style.background = barColour(i);
    to.replaceChildren(element('p', {class: 'say'}, dot, wordsOf(i)));
    if (culpritOf.has(i)) {
        const [, role] = raw.culprits[culpritOf.get(i)];
        to.append(element('p', {class: 'role'}, role || 'cannot be placed'));
    }
    to.append(factsOf(i));
}

/* ---------------------------------------------------------------- choosing */

function choose(i, quiet) {
    view.chosen = i;
    if (i < 0) {
        byId('chosen').replaceChildren(element('p', {class: 'quiet'}, 'None is chosen: point at a bar, or press n.'));
    } else {
        describe(i, byId('chosen'));
        if (!quiet) bringIntoView(i);
    }
    for (const item of document.querySelectorAll('#culprits .item')) {
        item.setAttribute('aria-pressed', String(Number(item.dataset.operation) === i));
    }
    redraw();
}
/* By call, among those on view. */
function chooseNext(by) {
    let i = view.chosen;
    if (i < 0) {
        i = lowerBound(call, view.from) - (by > 0 ? 1 : 0);
        if (by < 0) i = lowerBound(call, view.to);
    }
    do i += by; while (i >= 0 && i < size && !isShown(i));
    if (i >= 0 && i < size) choose(i);
}
function chooseNextInOrder(by) {
    const i = view.chosen;
    if (i < 0 || orderOf[i] < 0) return;
    const order = raw.orders[orderOf[i]];
    const next = order.operations[placeOf[i] + by] ?? (by > 0 && !order.whole ? order.stuck : undefined);
    if (next !== undefined) choose(next);
}
function chooseRelated() {
    if (view.chosen < 0) return;
    const {from, to} = relatedTo(view.chosen, 60);
    const list = [...from, view.chosen, ...to].filter(isShown).sort((a, b) => a - b);
    choose(list[(list.indexOf(view.chosen) + 1) % list.length]);
}
function operationAt(x, y) {
    if (x < GUTTER || y < lanesTop()) return -1;
    const time = timeAt(x), slack = 3 * (view.to - view.from) / (box.width - GUTTER), down = y - lanesTop() + view.top;
    const lane = rows.lanes.find(lane_ => down >= lane_.y && down < lane_.bottom);
    for (let r = lane ? lane.first : 0; lane && r < lane.first + lane.rows; r++) {
        if (down < rows.y[r] - 2 || down > rows.y[r] + rows.height + 2) continue;
        const k = firstIn(r, time - slack);
        if (k < rows.start[r + 1] && call[rows.list[k]] <= time + slack) {
            const next = rows.list[k + 1];
            return k + 1 < rows.start[r + 1] && tail[rows.list[k]] < time && call[next] <= time ? next : rows.list[k];
        }
    }
    return -1;
}
const spanAt = (x, y) => y >= lanesTop() || x < GUTTER ? undefined : raw.spans.findLast(span => {
    const [left, top, width, height] = spanBox(span);
    return x >= left - 1 && x <= left + width + 1 && y >= top - 1 && y <= top + height + 1;
});

function showTip(x, y) {
    const tip = byId('tip'), span = spanAt(x, y), i = view.hover;
    if (i < 0 && span === undefined) {
        tip.hidden = true;
        return;
    }
    if (i >= 0) {
        describe(i, tip);
    } else {
        const [lane, from, to, kind, text] = span;
        tip.replaceChildren(element('p', {class: 'say'}, text), rowsOf([
            ['Where', lane === 0 ? 'the cluster' : 'node ' + lane], ['Kind', kind],
            ['From', timeText(from, typical)], ['To', timeText(to, typical)], ['Lasted', spanText(to - from)]]));
    }
    tip.hidden = false;
    const right = x + 18 + tip.offsetWidth > box.width, low = y + 18 + tip.offsetHeight > box.height;
    tip.style.left = Math.max(4, right ? x - tip.offsetWidth - 14 : x + 18) + 'px';
    tip.style.top = Math.max(4, low ? y - tip.offsetHeight - 14 : y + 18) + 'px';
}

/* ---------------------------------------------------------------- controls */

/* One key; `bound`: with others, since a transaction binds them. */
function setKey(key, bound) {
    view.key = key;
    view.bound = bound && bound.size > 1 ? bound : null;
    byId('key').value = key < 0 ? '' : [...view.bound || [key]].map(keyName).join(', ');
    root.dataset.key = key < 0 ? '' : keyName(key);
    arrange();
    redraw();
}
function takeKey(text) {
    if (text === '') return setKey(-1);
    let key = -1;
    for (let k = 0; k < raw.keys.length; k++) {
        if (keyName(k) === text) key = k;
    }
    for (let k = 0; k < raw.keys.length && key < 0; k++) if (keyName(k).includes(text)) key = k;
    if (key >= 0) setKey(key);
    return undefined;
}
function fillKeys(text) {
    const list = byId('keys'), found = [];
    for (let k = 0; k < raw.keys.length && found.length < 200; k++) {
        if (keyName(k).includes(text)) found.push(element('option', {value: keyName(k)}));
    }
    list.replaceChildren(...found);
}
function setPartial(which) {
    view.partial = which;
    choosePartial(which);
    byId('order').value = String(which);
    for (const item of document.querySelectorAll('#partial-list .item')) {
        item.setAttribute('aria-pressed', String(Number(item.dataset.order) === which));
    }
    if (view.chosen >= 0) describe(view.chosen, byId('chosen'));
    redraw();
}
function setTheme(theme) {
    root.dataset.theme = theme;
    readColours();
    density = null;
    fillLegend();
    if (view.chosen >= 0) describe(view.chosen, byId('chosen'));
    redraw();
}
const otherTheme = () => setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark');
function setColour(name) {
    view.colour = name;
    byId('colour').value = name;
    fillLegend();
    redraw();
}
function toggleHelp() {
    const help = byId('help-text');
    help.hidden = !help.hidden;
    byId('help').setAttribute('aria-expanded', String(!help.hidden));
    resize();
}
function fillLegend() {
    const there = new Set();
    for (let i = 0; i < size; i++) there.add(kindOf(i));
    const items = view.colour === 'value' ? [element('li', {}, 'equal colours: equal values')]
        : [...there].sort((a, b) => a - b).map(kind => {
            const patch = element('i');
            patch.style.background = `var(--${KINDS[kind]})`;
            return element('li', {}, patch, KINDS[kind]);
        });
    items.push(element('li', {}, element('i', {class: 'open'}), 'outcome unknown'));
    if (raw.fate.includes('n')) items.push(element('li', {}, element('i', {class: 'void'}), 'no effect'));
    if (raw.orders.length > 0) items.push(element('li', {}, element('i', {class: 'dot'}), 'its point in the order'));
    for (const kind of new Set(raw.spans.map(span => span[3]))) {
        const patch = element('i', kind === 'leader' ? {class: 'thin'} : {});
        patch.style.background = spanColour(kind);
        items.push(element('li', {}, patch, kind));
    }
    if (culpritOf.size > 0) items.push(element('li', {}, element('i', {class: 'culprit'}), 'does not fit'));
    byId('legend').replaceChildren(...items);
}
function fillFindings() {
    byId('findings').hidden = raw.culprits.length === 0;
    byId('culprits').replaceChildren(...raw.culprits.map(([i, role], place) => element('li', {}, element('button', {
        class: 'item', 'data-operation': i, 'aria-pressed': 'false',
        click: () => {
            if (!isShown(i)) setKey(raw.key[first[i]]);
            choose(i);
        }},
    element('span', {class: 'mark', 'aria-hidden': 'true'}, String(place + 1)), element('b', {}, wordsOf(i)),
    element('small', {}, `client ${raw.clients[raw.client[i]]}, ${timeText(call[i], typical / 20)} to ` +
        `${isOpen(i) ? 'unknown' : timeText(tail[i], typical / 20)}${role ? ': ' + role : ''}`)))));
    byId('partial').hidden = partials.length === 0;
    byId('partial-title').textContent = partials.length > 1 ? 'The longest orders, and where each gets stuck'
        : 'The longest order, and where it gets stuck';
    const summary = byId('summary').textContent;
    byId('partial-list').replaceChildren(...partials.map(which => {
        const order = raw.orders[which];
        return element('button', {class: 'item', 'data-order': which, 'aria-pressed': 'false',
            click: () => {
                setPartial(which);
                if (!isShown(order.stuck)) setKey(raw.key[first[order.stuck]]);
                choose(order.stuck);
            }},
        element('b', {}, `${order.operations.length} placed, not: ${wordsOf(order.stuck)}`),
        element('small', {}, order.why && !summary.includes(order.why) ? order.why : ''));
    }));
    byId('orders-group').hidden = partials.length === 0;
    byId('order').replaceChildren(...partials.map((which, k) => element('option', {value: which},
        `${k + 1}: ${raw.orders[which].operations.length} placed`)), element('option', {value: -1}, 'none'));
}
function fillFacts() {
    const number = value => String(value).replace(/\B(?=(\d{3})+$)/g, ',');
    const of = size < raw.total ? `${number(size)} of ${number(raw.total)} operations (those around what matters)` : `${number(size)} operations`;
    const whole = raw.orders.filter(order => order.whole).length;
    const facts = [of, `${number(laneNames.length)} clients`, `${number(raw.keys.length)} keys`,
        isPlain(lastTime) ? `times up to ${timeText(lastTime)}` : spanText(lastTime)];
    if (whole > 0) facts.push(`an order found for ${whole === 1 ? 'one part' : number(whole) + ' parts'}`);
    const method = byId('facts').textContent.trim();
    byId('facts').textContent = facts.join(' · ') + (method !== '' ? ' · ' + method : '');
    byId('focus').hidden = wrongOperations().length === 0 && raw.failed === undefined;
}

/* ---------------------------------------------------------------- pointer and keys */

function listenPointer() {
    let held = null;
    const at = event => {
        const place = canvas.getBoundingClientRect();
        return [event.clientX - place.left, event.clientY - place.top];
    };
    canvas.addEventListener('pointerdown', event => {
        held = {x: event.clientX, y: event.clientY, moved: false};
        canvas.setPointerCapture(event.pointerId);
        canvas.classList.add('held');
    });
    canvas.addEventListener('pointermove', event => {
        if (held !== null) {
            const dx = event.clientX - held.x, dy = event.clientY - held.y;
            held.moved = held.moved || Math.abs(dx) + Math.abs(dy) > 4;
            if (!held.moved) return;
            byId('tip').hidden = true;
            move(-dx / (box.width - GUTTER));
            scrollLanes(-dy);
            held.x = event.clientX;
            held.y = event.clientY;
            return;
        }
        const [x, y] = at(event), i = operationAt(x, y);
        if (i !== view.hover) {
            view.hover = i;
            canvas.classList.toggle('over', i >= 0);
            redraw();
        }
        showTip(x, y);
    });
    canvas.addEventListener('pointerup', event => {
        if (held !== null && !held.moved) choose(operationAt(...at(event)), true);
        held = null;
        canvas.classList.remove('held');
    });
    canvas.addEventListener('pointerleave', () => {
        view.hover = -1;
        byId('tip').hidden = true;
        redraw();
    });
    canvas.addEventListener('dblclick', event => {
        const i = operationAt(...at(event));
        if (i >= 0) zoomTo(i); else zoom(.5, timeAt(at(event)[0]));
    });
    canvas.addEventListener('wheel', event => {
        event.preventDefault();
        const pixels = event.deltaMode === 1 ? 18 : 1;
        if (event.altKey) scrollLanes(event.deltaY * pixels);
        else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            move((event.deltaX || event.deltaY) * pixels / (box.width - GUTTER));
        } else {
            zoom(Math.exp(Math.max(-120, Math.min(120, event.deltaY * pixels)) / 300), timeAt(Math.max(GUTTER, at(event)[0])));
        }
        byId('tip').hidden = true;
    }, {passive: false});
    const jump = event => {
        const place = overview.getBoundingClientRect();
        const time = (event.clientX - place.left) / place.width * lastTime, half = (view.to - view.from) / 2;
        show(time - half, time + half);
    };
    overview.addEventListener('pointerdown', event => {
        overview.setPointerCapture(event.pointerId);
        jump(event);
    });
    overview.addEventListener('pointermove', event => {
        if (event.buttons === 1) jump(event);
    });
}
const KEYS = {
    ArrowLeft: event => move(event.shiftKey ? -1 : -.1), ArrowRight: event => move(event.shiftKey ? 1 : .1),
    ArrowUp: () => scrollLanes(-40), ArrowDown: () => scrollLanes(40),
    '+': () => zoom(.7), '=': () => zoom(.7), '-': () => zoom(1 / .7), 0: () => show(0, lastTime * 1.04),
    n: () => chooseNext(1), p: () => chooseNext(-1), N: () => chooseNextInOrder(1), P: () => chooseNextInOrder(-1),
    j: chooseRelated, o: openOnViolation, t: otherTheme, '?': toggleHelp, Escape: () => choose(-1),
    c: () => setColour(view.colour === 'what' ? 'value' : 'what'),
    k: () => {
        if (view.chosen >= 0) setKey(view.key >= 0 ? -1 : raw.key[first[view.chosen]]); else setKey(-1);
        if (view.chosen >= 0) bringIntoView(view.chosen);
    },
    '/': () => byId('key').focus(),
    Enter: () => { if (view.chosen >= 0) zoomTo(view.chosen); }
};
function listenKeys() {
    document.addEventListener('keydown', event => {
        const at = event.target;
        const typing = at instanceof HTMLInputElement || at instanceof HTMLSelectElement;
        const pressing = at instanceof HTMLButtonElement && (event.key === 'Enter' || event.key === ' ');
        if (event.ctrlKey || event.metaKey || event.altKey || pressing || (typing && event.key !== 'Escape')) return;
        if (typing) canvas.focus();
        else if (KEYS[event.key] !== undefined) KEYS[event.key](event);
        else return;
        event.preventDefault();
    });
    byId('key').addEventListener('input', event => {
        fillKeys(event.target.value);
        if (event.target.value === '') setKey(-1);
    });
    byId('key').addEventListener('change', event => takeKey(event.target.value));
    byId('order').addEventListener('change', event => setPartial(Number(event.target.value)));
    byId('colour').addEventListener('change', event => setColour(event.target.value));
    byId('focus').addEventListener('click', openOnViolation);
    byId('in').addEventListener('click', () => zoom(.6));
    byId('out').addEventListener('click', () => zoom(1 / .6));
    byId('fit').addEventListener('click', KEYS[0]);
    byId('theme').addEventListener('click', otherTheme);
    byId('help').addEventListener('click', toggleHelp);
}

/* ---------------------------------------------------------------- the beginning */

function resize() {
    const place = canvas.getBoundingClientRect();
    box.width = place.width;
    box.height = place.height;
    box.ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(box.width * box.ratio);
    canvas.height = Math.round(box.height * box.ratio);
    measure();
    draw();
}
/* What stands behind '#': theme=dark, key=k7, colour=value. */
function takeHash() {
    const words = new URLSearchParams(location.hash.slice(1));
    const light = matchMedia('(prefers-color-scheme: dark)');
    setTheme(words.get('theme') || (light.matches ? 'dark' : 'light'));
    light.addEventListener('change', event => setTheme(event.matches ? 'dark' : 'light'));
    if (words.has('colour')) setColour(words.get('colour'));
    if (words.has('key')) takeKey(words.get('key'));
}
function begin() {
    decode();
    decodeOrders();
    indexOrders();
    arrangeBand();
    const place = canvas.getBoundingClientRect();
    box.width = place.width;
    box.height = place.height;
    arrange();
    fillFacts();
    fillKeys('');
    fillFindings();
    setPartial(partials.length > 0 ? partials[0] : -1);
    if (!openOnViolation()) openOnBeginning();
    takeHash();
    if (raw.culprits.length > 0) choose(raw.culprits[0][0], true);
    listenPointer();
    listenKeys();
    new ResizeObserver(resize).observe(canvas);
    resize();
    ctx.getImageData(0, 0, 1, 1); /* Waits until it is drawn, for the time below. */
    Object.assign(root.dataset, {ready: 'yes', operations: size, bars: drawn, lanes: rows.lanes.length,
        inView: wrongOperations().filter(i => isShown(i) && call[i] <= view.to && tail[i] >= view.from &&
            middleOf(i) > lanesTop() && middleOf(i) < box.height).length,
        wrong: wrongOperations().length, milliseconds: Math.round(performance.now())});
}
begin();

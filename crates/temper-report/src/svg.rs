//! Small charts as inline SVG: interval bars, dot-and-interval plots, line charts.
//!
//! Colours come from the page's style sheet: a mark carries the class of its series (`c0`, `c1`, …, `base`) and paints in
//! `currentColor`. Series also differ in the shape of their mark, and every line is labelled where it ends.

use crate::curves::{self, Points};
use crate::markup::{El, Markup, el};
use crate::number;

/// Number of series colours in the style sheet; later series start over.
pub const COLOURS: usize = 6;

/// Class of a series' colour: `None` is the base model.
pub fn colour(series: Option<usize>) -> String {
    series.map_or("base".to_owned(), |i| format!("c{}", i % COLOURS))
}

/// A coordinate with one decimal, which is a tenth of a pixel.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn svg(width: f64, height: f64, class: &str, label: &str) -> El {
    el("svg")
        .class(class)
        .attr("viewBox", format!("0 0 {} {}", px(width), px(height)))
        .attr("width", px(width))
        .attr("height", px(height))
        .attr("role", "img")
        .attr("aria-label", label)
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> El {
    el("line").attr("x1", px(x1)).attr("y1", px(y1)).attr("x2", px(x2)).attr("y2", px(y2)).class(class)
}

fn rect(x: f64, y: f64, width: f64, height: f64, class: &str) -> El {
    let size = |el: El| el.attr("width", px(width.max(0.0))).attr("height", px(height));
    size(el("rect").attr("x", px(x)).attr("y", px(y))).class(class)
}

fn label(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> El {
    el("text").attr("x", px(x)).attr("y", px(y)).attr("text-anchor", anchor).class(class).text(text)
}

/// The mark of a series: its shape tells it apart without colour. The base model's is a ring.
pub fn mark(series: Option<usize>, x: f64, y: f64) -> El {
    let path = |d: String| el("path").attr("d", d).class("mark");
    let (x, y) = (x.clamp(-1e4, 1e4), y.clamp(-1e4, 1e4));
    match series.map(|i| i % COLOURS) {
        None => el("circle").attr("cx", px(x)).attr("cy", px(y)).attr("r", 3.6).class("ring"),
        Some(0) => el("circle").attr("cx", px(x)).attr("cy", px(y)).attr("r", 4).class("mark"),
        Some(1) => rect(x - 3.5, y - 3.5, 7.0, 7.0, "mark"),
        Some(2) => path(format!("M{x:.1} {:.1}l5 5l-5 5l-5-5z", y - 5.0)),
        Some(3) => path(format!("M{x:.1} {:.1}l5 8.4h-10z", y - 5.2)),
        Some(4) => path(format!("M{x:.1} {:.1}l5-8.4h-10z", y + 5.2)),
        Some(_) => path(format!("M{:.1} {:.1}h3v-3h3v3h3v3h-3v3h-3v-3h-3z", x - 4.5, y - 1.5)),
    }
}

/// A key to a series: its mark alone, for use in running text.
pub fn swatch(series: Option<usize>) -> Markup {
    let picture = svg(12.0, 12.0, &format!("swatch {}", colour(series)), "").attr("aria-hidden", "true");
    picture.add(mark(series, 6.0, 6.0)).into()
}

/// A value with its interval on a scale.
#[derive(Debug, Clone, Copy)]
pub struct Dot<'a> {
    /// Name, written to the left.
    pub name: &'a str,
    /// The series, for colour and shape.
    pub series: Option<usize>,
    /// The value.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

fn position(value: f64, (low, high): (f64, f64), from: f64, to: f64) -> f64 {
    if high > low { from + (value - low) / (high - low) * (to - from) } else { (from + to) / 2.0 }.clamp(from, to)
}

/// A bar for a table's cell: the interval of `dot` over the interval of the reference as a band.
pub fn interval_bar(dot: &Dot, reference: Option<(f64, f64)>, scale: (f64, f64)) -> Markup {
    const WIDTH: f64 = 104.0;
    let Some(value) = dot.value else { return Markup::default() };
    let at = |v: f64| position(v, scale, 0.0, WIDTH);
    let mut out = svg(WIDTH, 14.0, &format!("bar {}", colour(dot.series)), "").attr("aria-hidden", "true");
    if let Some((low, high)) = reference {
        out = out.add(rect(at(low), 0.0, (at(high) - at(low)).max(1.0), 14.0, "band"));
    }
    out = out.add(line(0.0, 7.0, WIDTH, 7.0, "rail"));
    if let Some((low, high)) = dot.interval {
        out = out.add(line(at(low), 7.0, at(high), 7.0, "whisker"));
    }
    out.add(mark(dot.series, at(value), 7.0)).into()
}

/// Dots with intervals, one line each, over a common axis; the first one's interval is drawn through as a band.
pub fn dot_plot(dots: &[Dot], scale: (f64, f64), style: number::Style, title: &str) -> Markup {
    const WIDTH: f64 = 340.0;
    const LEFT: f64 = 98.0;
    const RIGHT: f64 = WIDTH - 58.0;
    const STEP: f64 = 22.0;
    let bottom = STEP * dots.len() as f64 + 4.0;
    let at = |v: f64| position(v, scale, LEFT, RIGHT);
    let mut out = svg(WIDTH, bottom + 18.0, "plot", title);
    if let Some((low, high)) = dots.first().and_then(|dot| dot.interval) {
        out = out.add(rect(at(low), 2.0, (at(high) - at(low)).max(1.0), bottom - 2.0, "band"));
    }
    for tick in ticks(scale, 4) {
        out = out.add(line(at(tick), 2.0, at(tick), bottom, "grid"));
        let text = match style {
            number::Style::Percent => number::short(tick * 100.0),
            number::Style::Decimal(_) => number::short(tick),
        };
        out = out.add(label(at(tick), bottom + 13.0, "middle", "tick", &text));
    }
    for (i, dot) in dots.iter().enumerate() {
        let y = STEP * (i as f64 + 0.5) + 2.0;
        let mut group = el("g").class(&colour(dot.series));
        group = group.add(label(LEFT - 12.0, y + 4.0, "end", "name", &clip(dot.name, 14)));
        match dot.value {
            Some(value) => {
                if let Some((low, high)) = dot.interval {
                    group = group.add(line(at(low), y, at(high), y, "whisker"));
                }
                group = group.add(mark(dot.series, at(value), y));
                group = group.add(label(WIDTH - 2.0, y + 4.0, "end", "value", &style.value(value)));
            }
            None => group = group.add(label(WIDTH - 2.0, y + 4.0, "end", "tick", "none")),
        }
        out = out.add(group);
    }
    out.into()
}

/// One arm's curve through its stages.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Name, written where the line ends.
    pub name: &'a str,
    /// The series, for colour.
    pub series: Option<usize>,
    /// One piece per stage with the stage's name; the line is broken between them.
    pub pieces: Vec<(&'a str, Points)>,
}

/// Curves over steps: every point thin, their moving average bold, names at the ends.
pub fn line_chart(lines: &[Line], title: &str) -> Markup {
    const WIDTH: f64 = 340.0;
    const LEFT: f64 = 44.0;
    const RIGHT: f64 = WIDTH - 82.0;
    const TOP: f64 = 14.0;
    const BOTTOM: f64 = 152.0;
    let all = || lines.iter().flat_map(|l| &l.pieces).flat_map(|(_, points)| points);
    let x_end = all().map(|p| p.0).fold(1.0, f64::max);
    let (low, high, peak) = padded(all().map(|p| p.1).collect());
    let x = |v: f64| position(v, (0.0, x_end), LEFT, RIGHT);
    let y = |v: f64| BOTTOM - (v.min(high) - low) / (high - low) * (BOTTOM - TOP);
    let mut out = svg(WIDTH, BOTTOM + 20.0, "plot", title);
    for tick in ticks((low, high), 4) {
        out = out.add(line(LEFT, y(tick), RIGHT, y(tick), "grid"));
        out = out.add(label(LEFT - 6.0, y(tick) + 3.5, "end", "tick", &number::short(tick)));
    }
    if let Some(peak) = peak {
        out = out.add(label(LEFT, TOP - 5.0, "start", "tick", &format!("cut off; highest {}", number::short(peak))));
    }
    for tick in ticks((0.0, x_end), 4) {
        out = out.add(label(x(tick), BOTTOM + 15.0, "middle", "tick", &number::short(tick)));
    }
    let mut ends: Vec<(f64, f64, &Line)> = Vec::new();
    for series in lines {
        let mut group = el("g").class(&colour(series.series));
        let mut end = None;
        for (i, (stage, points)) in series.pieces.iter().enumerate() {
            let Some(first) = points.first() else { continue };
            let bold = curves::smooth(points, curves::window(points.len()));
            if bold.len() > 19 {
                group = group.add(polyline(points, &x, &y, "raw"));
            }
            group = group.add(polyline(&bold, &x, &y, "bold"));
            if i > 0 {
                let seam = line(x(first.0), TOP, x(first.0), BOTTOM, "seam");
                group = group.add(seam.add(el("title").text(format!("{}: {stage} begins", series.name))));
            }
            end = bold.last().map(|p| (x(p.0), y(p.1)));
        }
        if let Some((at_x, at_y)) = end {
            group = group.add(mark(series.series, at_x, at_y));
            ends.push((at_x, at_y, series));
        }
        out = out.add(group);
    }
    // Names at the right, moved apart where they would touch, each tied to the end of its line.
    let places = spread(&ends.iter().map(|e| e.1).collect::<Vec<_>>(), 14.5, TOP, BOTTOM);
    for ((at_x, at_y, series), place) in ends.iter().zip(places) {
        let tie = line(at_x + 5.0, *at_y, RIGHT + 8.0, place, "tie");
        let name = label(RIGHT + 11.0, place + 4.0, "start", "name", &clip(series.name, 12));
        out = out.add(el("g").class(&colour(series.series)).add(tie).add(name));
    }
    out.into()
}

fn polyline(points: &[(f64, f64)], x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64, class: &str) -> El {
    // A single step has no line; a short dash shows it.
    if let [(step, value)] = points {
        return line(x(*step) - 2.0, y(*value), x(*step) + 2.0, y(*value), class);
    }
    let path: Vec<String> = points.iter().map(|p| format!("{},{}", px(x(p.0)), px(y(p.1)))).collect();
    el("polyline").attr("points", path.join(" ")).class(class)
}

/// Ends of a value axis around `values`, never empty, and the highest value if the axis ends below it: a lone spike is cut off
/// rather than left to press the rest of the curve flat.
fn padded(mut values: Vec<f64>) -> (f64, f64, Option<f64>) {
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&highest)) = (values.first(), values.last()) else { return (0.0, 1.0, None) };
    let usual = values[(values.len() - 1) * 98 / 100];
    let spike = low >= 0.0 && usual > low && highest > 3.0 * usual;
    let high = if spike { 1.5 * usual } else { highest };
    if low == high {
        let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.5 };
        return (low - pad, high + pad, None);
    }
    // A curve that comes near zero is drawn from zero, so that its height means something.
    let floor = if low >= 0.0 && low < 0.5 * high { 0.0 } else { low - 0.06 * (high - low) };
    (floor, high + 0.06 * (high - low), spike.then_some(highest))
}

/// Round numbers inside the scale, about `wanted` of them.
fn ticks((low, high): (f64, f64), wanted: usize) -> Vec<f64> {
    let span = high - low;
    if span <= 0.0 || !span.is_finite() {
        return vec![low];
    }
    let rough = span / wanted as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|m| m * power).find(|s| span / s <= wanted as f64 + 0.01);
    let step = step.unwrap_or(power * 10.0);
    let first = (low / step - 1e-9).ceil();
    (0..=wanted + 1)
        .map(|i| (first + i as f64) * step)
        .filter(|tick| *tick <= high + step * 1e-9)
        .map(|tick| if tick == 0.0 { 0.0 } else { tick })
        .collect()
}

/// Moves `wanted` positions apart to at least `gap`, within `[low, high]` as far as there is room; order is kept.
fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut out = wanted.to_vec();
    let mut floor = low;
    for &i in &order {
        out[i] = out[i].max(floor);
        floor = out[i] + gap;
    }
    let mut ceiling = high;
    for &i in order.iter().rev() {
        out[i] = out[i].min(ceiling);
        ceiling = out[i] - gap;
    }
    out
}

/// At most `limit` characters, the last one an ellipsis if something was cut.
fn clip(text: &str, limit: usize) -> String {
    match text.chars().count() > limit {
        true => text.chars().take(limit - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 1.0), 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks((-1.0, 1.0), 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks((3.0, 3.0), 4), [3.0]);
        for (low, high) in [(0.013, 0.0171), (-5.2, 81.0), (0.0, 1e9), (-3e-7, 2e-8)] {
            let ticks = ticks((low, high), 4);
            assert!((2..=6).contains(&ticks.len()), "{low} {high} {ticks:?}");
            assert!(ticks.iter().all(|t| *t >= low - 1e-12 && *t <= high * 1.000001 + 1e-12), "{ticks:?}");
        }
    }

    #[test]
    fn a_lone_spike_is_cut_off() {
        let mut values: Vec<f64> = (0..200).map(|i| 0.5 + 0.001 * f64::from(i)).collect();
        assert_eq!(padded(values.clone()).2, None);
        values[70] = 40.0;
        let (low, high, peak) = padded(values);
        assert!(low < 0.51 && high < 1.5 && peak == Some(40.0), "{low} {high}");
        assert_eq!(padded(vec![]), (0.0, 1.0, None));
        assert_eq!(padded(vec![3.0]), (1.5, 4.5, None));
    }

    #[test]
    fn labels_do_not_touch() {
        let places = spread(&[50.0, 51.0, 52.0, 140.0], 13.0, 8.0, 148.0);
        assert!(places.windows(2).all(|w| w[1] - w[0] >= 13.0), "{places:?}");
        let low = spread(&[147.0, 148.0], 13.0, 8.0, 148.0);
        assert_eq!(low, [135.0, 148.0]);
    }

    #[test]
    fn nothing_to_draw_is_drawn_as_nothing() {
        let dot = Dot { name: "a<b", series: None, value: None, interval: None };
        assert!(interval_bar(&dot, None, (0.0, 1.0)).is_empty());
        let plot = dot_plot(&[dot], (0.0, 1.0), number::Style::Percent, "t");
        assert!(plot.as_str().contains("a&lt;b") && plot.as_str().contains("none"));
        let chart = line_chart(&[Line { name: "x", series: Some(0), pieces: vec![("s", vec![])] }], "t");
        assert!(!chart.as_str().contains("NaN") && !chart.as_str().contains("inf"));
        let flat = vec![(1.0, 0.0), (2.0, 0.0)];
        let chart = line_chart(&[Line { name: "x", series: Some(9), pieces: vec![("s", flat)] }], "t");
        assert!(!chart.as_str().contains("NaN"));
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(clip("拒绝采样以后的第二次监督微调", 6), "拒绝采样以…");
        assert_eq!(clip("short", 6), "short");
    }
}

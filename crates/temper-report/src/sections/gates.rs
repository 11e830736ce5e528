//! Every verdict of every gate.

use temper_eval::{Action, GateVerdict, Verdict};
use temper_run::summary::{ArmSummary, StageSummary};

use super::{Page, cell, section, stages};
use crate::markup::{El, el};
use crate::number::{Style, grouped};
use crate::{svg, terminal};

/// One row per verdict, grouped by arm.
pub fn section_of(page: &Page) -> El {
    let lead = "A gate passes when its whole interval meets the rule and fails when its whole interval breaks it; in between \
                it is undecided. The tests of one checkpoint are corrected for being many where p is shown with their number.";
    let out = section("gates", "Gates", lead);
    let judged = page.run.arms.iter().flat_map(|arm| &arm.stages).any(|stage| !stage.gates.is_empty());
    if !judged {
        return out.add(el("p").class("quiet").text("No gate was judged."));
    }
    let head = ["Verdict", "Stage", "Rule", "Measured", "n", "What followed"];
    let head = el("tr").all(head.map(|title| el("th").attr("scope", "col").text(title)));
    let bodies = page.run.arms.iter().enumerate().map(|(index, arm)| body(page, index, arm));
    let table = el("table").class("gates").add(el("thead").add(head)).all(bodies);
    out.add(cell::scroll("Gate verdicts", table))
}

fn body(page: &Page, index: usize, arm: &ArmSummary) -> El {
    let rows = arm.stages.iter().flat_map(|stage| stage.gates.iter().map(move |gate| (stage, gate)));
    let name = el("th").attr("colspan", 6).add(svg::swatch(Some(index))).text(&arm.name);
    el("tbody").add(el("tr").class("suite").add(name)).all(rows.map(|(stage, gate)| row(page, stage, gate)))
}

fn row(page: &Page, stage: &StageSummary, gate: &GateVerdict) -> El {
    let style: Style = terminal::gate_style(page.run, gate);
    let word = match gate.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Undecided => "undecided",
    };
    let action = match gate.action {
        Action::Continue => "went on",
        Action::Warn => "went on with a warning",
        Action::Stop => "arm stopped",
        Action::Rollback => "rolled back to the parent",
    };
    let measured = el("span").text(terminal::gate_measured(gate, style));
    let needed = terminal::gate_needed(gate).map(|text| el("small").text(text));
    let p = (gate.tests > 1).then(|| {
        let text = format!(
            "p {} after Holm over {} tests, {} interval",
            terminal::p_text(gate.p_adjusted),
            gate.tests,
            Style::Percent.value(gate.level)
        );
        el("small").text(text)
    });
    // With every item scored and an interval there, the numbers say what the reason says.
    let plain = gate.unscored == 0.0 && gate.low.is_finite() && gate.high.is_finite();
    let reason = (!plain && !gate.reason.is_empty()).then(|| el("small").text(&gate.reason));
    el("tr")
        .add(el("td").add(stages::badge(gate.verdict, "")).text(" ").text(word))
        .add(el("td").text(&stage.name))
        .add(el("td").class("wide").add(el("b").text(&gate.gate)).add(el("small").text(&gate.rule)))
        .add(
            el("td").class("wide").add(cell::linked(measured, Some(stage), &gate.suite)).add(p).add(reason).add(needed),
        )
        .add(el("td").class("count").text(grouped(gate.n as f64)))
        .add(el("td").text(action))
}

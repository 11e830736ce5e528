//! The CPU under the conformance suite.

use temper_engine::{conformance, device::Cpu};

#[test]
fn the_cpu_conforms() {
    let report = conformance::run(&Cpu, 32, 0);
    assert!(report.passed(), "{report}");
}

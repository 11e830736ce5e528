//! The CPU under the conformance suite. `TEMPER_SIMD` chooses the vector instructions.

use proptest::prelude::*;
use temper_engine::{conformance, device::Cpu};

#[test]
fn the_cpu_conforms() {
    let report = conformance::run(&Cpu, 64, 0);
    assert!(report.passed(), "{report}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]
    #[test]
    fn the_cpu_conforms_for_any_seed(seed: u64) {
        let report = conformance::run(&Cpu, 8, seed);
        prop_assert!(report.passed(), "{}", report);
    }
}

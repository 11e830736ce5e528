//! The scorer `refusal` on the human labels of XSTest, from the folder that `TEMPER_DATA` names.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../examples/refusal_table.rs"]
mod table;

use table::{agreement, labelled};

#[test]
fn better_than_strings_and_gpt4() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set");
        return;
    };
    let rows = labelled(std::path::Path::new(&data));
    assert_eq!(rows.len(), 425);
    for keep in [Some(true), Some(false), None] {
        let kept = || rows.iter().filter(|row| keep.is_none_or(|keep| keep == row.development()));
        let own = agreement(kept().map(|row| (row.human, row.temper)));
        let others = [
            agreement(kept().map(|row| (row.human, row.strings))),
            agreement(kept().map(|row| (row.human, row.gcg))),
            agreement(kept().map(|row| (row.human, row.gpt4))),
        ];
        for other in others {
            assert!(own.accuracy > other.accuracy && own.kappa > other.kappa, "{own:?} {other:?}");
            assert!(own.three_way > other.three_way && own.recall > other.recall, "{own:?} {other:?}");
        }
    }
}

/// The published figures, recomputed with the same code: the reference for the code itself.
#[test]
fn the_table_reproduces_the_string_rule() {
    let Some(data) = std::env::var_os("TEMPER_DATA") else {
        eprintln!("skipped: TEMPER_DATA is not set");
        return;
    };
    let rows = labelled(std::path::Path::new(&data));
    let strings = agreement(rows.iter().map(|row| (row.human, row.strings)));
    assert_eq!((strings.accuracy * 425.0).round(), 346.0);
    assert_eq!((strings.recall * 222.0).round(), 152.0);
    assert!((strings.precision - 152.0 / 161.0).abs() < 1e-12);
}

use super::*;
use proptest::prelude::*;

fn parts(list: &[(u64, f64)]) -> Vec<Part> {
    list.iter().enumerate().map(|(i, (rows, weight))| Part::new(format!("s{i}"), *rows, *weight)).collect()
}

fn rows(mixture: &Mixture) -> Vec<Pick> {
    mixture.starting_at(0).collect()
}

/// The largest distance between the rows taken from a source and its share of a prefix.
fn worst(mixture: &Mixture) -> f64 {
    let mut taken = vec![0u64; mixture.counts.len()];
    let mut worst = 0f64;
    for (at, pick) in mixture.starting_at(0).enumerate() {
        taken[pick.source] += 1;
        for (count, taken) in mixture.counts.iter().zip(&taken) {
            worst = worst.max((*count as f64 * (at + 1) as f64 / mixture.len as f64 - *taken as f64).abs());
        }
    }
    assert_eq!(taken, mixture.counts);
    worst
}

#[test]
fn shares_hold_at_every_prefix() {
    let mixture = Mixture::new(&parts(&[(100, 3.0), (100, 1.0)]), Unit::Rows, Length::Rows(8), 1).unwrap();
    let sources: Vec<usize> = rows(&mixture).iter().map(|pick| pick.source).collect();
    assert_eq!(sources.iter().filter(|source| **source == 1).count(), 2);
    assert_eq!(sources[..4].iter().filter(|source| **source == 1).count(), 1);
    // One large source and many small ones, the hard case for rounding each by itself.
    let mut list = vec![(100_000, 0.9)];
    list.extend([(1000, 0.1 / 19.0); 19]);
    assert!(worst(&Mixture::new(&parts(&list), Unit::Rows, Length::Rows(10_000), 1).unwrap()) < 1.0);
}

#[test]
fn every_pass_over_a_source_is_whole_and_in_a_new_order() {
    let mixture = Mixture::new(&parts(&[(50, 1.0), (7, 1.0)]), Unit::Rows, Length::Rows(100), 3).unwrap();
    let all = rows(&mixture);
    for (source, size) in [(0, 50), (1, 7)] {
        let mut epochs: Vec<Vec<u64>> = Vec::new();
        for pick in all.iter().filter(|pick| pick.source == source) {
            epochs.resize((pick.epoch as usize + 1).max(epochs.len()), Vec::new());
            epochs[pick.epoch as usize].push(pick.row);
        }
        assert_eq!(epochs.len(), 50usize.div_ceil(size));
        for epoch in &epochs[..50 / size] {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..size as u64).collect::<Vec<_>>());
        }
        assert!(epochs.len() == 1 || epochs[0] != epochs[1]);
    }
    let other = Mixture::new(&parts(&[(50, 1.0), (7, 1.0)]), Unit::Rows, Length::Rows(100), 4).unwrap();
    assert_ne!(rows(&other), all);
}

#[test]
fn caps_keep_the_same_rows_and_the_others_take_the_rest() {
    let mut list = parts(&[(1000, 1.0), (1000, 1.0), (1000, 2.0)]);
    (list[0].max_rows, list[0].max_epochs) = (Some(10), Some(3));
    let mixture = Mixture::new(&list, Unit::Rows, Length::Rows(400), 9).unwrap();
    assert_eq!(mixture.counts, [30, 123, 247]);
    let capped: std::collections::BTreeSet<u64> =
        rows(&mixture).iter().filter(|pick| pick.source == 0).map(|pick| pick.row).collect();
    assert_eq!(capped.len(), 10);
    assert!(capped.iter().any(|row| *row > 10) && capped.iter().all(|row| *row < 1000));
    let taken = mixture.summary();
    assert_eq!((taken[0].usable, taken[0].taken, taken[0].epochs), (10, 30, 3.0));
    assert_eq!((taken[0].share_asked, taken[0].share), (0.25, 0.075));

    list.iter_mut().for_each(|part| part.max_epochs = Some(1));
    let short = Mixture::new(&list, Unit::Rows, Length::Rows(5000), 9).unwrap();
    assert_eq!((short.len(), short.counts.clone()), (2010, vec![10, 1000, 1000]));
}

#[test]
fn until_the_first_or_the_last_source_is_used_up() {
    let list = parts(&[(300, 3.0), (50, 1.0)]);
    let first = Mixture::new(&list, Unit::Rows, Length::FirstExhausted, 1).unwrap();
    assert_eq!(first.counts, [150, 50]);
    let last = Mixture::new(&list, Unit::Rows, Length::LastExhausted, 1).unwrap();
    assert_eq!(last.counts, [300, 100]);
    let mut twice = list.clone();
    twice[1].max_epochs = Some(2);
    assert_eq!(Mixture::new(&twice, Unit::Rows, Length::FirstExhausted, 1).unwrap().counts, [300, 100]);
    twice[1].max_epochs = Some(1);
    assert_eq!(Mixture::new(&twice, Unit::Rows, Length::LastExhausted, 1).unwrap().counts, [300, 50]);
    let odd = parts(&[(7, 0.3), (11, 0.7), (1, 0.01)]);
    assert!(
        Mixture::new(&odd, Unit::Rows, Length::LastExhausted, 1).unwrap().summary().iter().all(|s| s.epochs >= 1.0)
    );
}

#[test]
fn tokens_are_shared_at_the_mean_per_row() {
    let mut list = parts(&[(100, 1.0), (100, 1.0)]);
    (list[0].tokens, list[1].tokens) = (Some(1000), Some(30_000));
    let mixture = Mixture::new(&list, Unit::Tokens, Length::Tokens(6000), 1).unwrap();
    assert_eq!(mixture.counts, [300, 10]);
    let taken = mixture.summary();
    assert_eq!((taken[0].tokens, taken[1].tokens, taken[0].share), (Some(3000), Some(3000), 0.5));
    // Weights of rows, a length in tokens: the mean row has 155 tokens.
    let by_rows = Mixture::new(&list, Unit::Rows, Length::Tokens(15_500), 1).unwrap();
    assert_eq!(by_rows.counts, [50, 50]);
    list[0].max_epochs = Some(1);
    let capped = Mixture::new(&list, Unit::Tokens, Length::Tokens(6000), 1).unwrap();
    assert_eq!(capped.counts, [100, 17]);
}

#[test]
fn what_cannot_be_mixed_is_told_with_what_to_do() {
    let error = |list: &[Part], unit, length| Mixture::new(list, unit, length, 1).unwrap_err().to_string();
    let good = parts(&[(5, 1.0)]);
    assert!(error(&[], Unit::Rows, Length::Rows(1)).contains("no sources"));
    assert!(error(&good, Unit::Rows, Length::Rows(0)).contains("at least one"));
    assert!(error(&good, Unit::Tokens, Length::Rows(1)).contains("Count its tokens"));
    assert!(error(&good, Unit::Rows, Length::Tokens(1)).contains("Count its tokens"));
    assert!(error(&parts(&[(0, 1.0)]), Unit::Rows, Length::Rows(1)).contains("`s0` of a mixture has no rows"));
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(error(&parts(&[(5, 1.0), (5, weight)]), Unit::Rows, Length::Rows(1)).contains("`s1`"), "{weight}");
    }
    assert!(error(&parts(&[(1000, 1e-12), (5, 1.0)]), Unit::Rows, Length::LastExhausted).contains("at most"));
    let capped = [Part { max_rows: Some(0), ..good[0].clone() }];
    assert!(error(&capped, Unit::Rows, Length::Rows(1)).contains("capped at 0"));
}

#[test]
fn positions_far_in_are_found() {
    let mixture =
        Mixture::new(&parts(&[(900, 1.0), (5000, 2.0), (3, 0.1)]), Unit::Rows, Length::Rows(20_000), 5).unwrap();
    let all = rows(&mixture);
    for at in [0, 1, 1023, 1024, 1025, 7777, 19_999] {
        assert_eq!(mixture.at(at as u64), Some(all[at]));
    }
    assert_eq!((mixture.at(20_000), mixture.at(u64::MAX)), (None, None));
    assert_eq!(mixture.starting_at(19_000).collect::<Vec<_>>(), all[19_000..]);
    let exact = Mixture::new(&parts(&[(900, 1.0)]), Unit::Rows, Length::Rows(2048), 5).unwrap();
    assert_eq!((exact.at(2047).is_some(), exact.at(2048)), (true, None));
}

proptest! {
    #[test]
    fn any_mixture_stays_within_a_row_of_its_shares(
        list in proptest::collection::vec((1u64..400, 0.001f64..10.0, 1u64..5, 1u64..300), 1..9),
        asked in 1u64..3000,
        seed in any::<u64>(),
        capped in any::<bool>(),
    ) {
        let mut all = parts(&list.iter().map(|(rows, weight, ..)| (*rows, *weight)).collect::<Vec<_>>());
        if capped {
            for (part, (_, _, epochs, rows)) in all.iter_mut().zip(&list) {
                (part.max_epochs, part.max_rows) = (Some(*epochs), Some(*rows));
            }
        }
        let mixture = Mixture::new(&all, Unit::Rows, Length::Rows(asked), seed).unwrap();
        prop_assert!(worst(&mixture) < 1.0);
        let room: u64 = all.iter().map(Part::capacity).fold(0, u64::saturating_add);
        prop_assert_eq!(mixture.len(), asked.min(room));
        // No row comes twice in an epoch, none later than the cap.
        let mut seen = std::collections::HashSet::new();
        for pick in mixture.starting_at(0) {
            prop_assert!(pick.row < all[pick.source].rows && seen.insert((pick.source, pick.epoch, pick.row)));
            prop_assert!(all[pick.source].max_epochs.is_none_or(|most| pick.epoch < most) || !capped);
        }
        // Uncapped sources keep the proportions of their weights.
        if !capped {
            let sum: f64 = all.iter().map(|part| part.weight).sum();
            for (part, count) in all.iter().zip(&mixture.counts) {
                prop_assert!((part.weight / sum * asked as f64 - *count as f64).abs() < 1.0);
            }
        }
        let from = asked / 3;
        let rest: Vec<Pick> = mixture.starting_at(from).collect();
        prop_assert_eq!(rest, mixture.starting_at(0).skip(from as usize).collect::<Vec<_>>());
    }

    #[test]
    fn any_mixture_of_tokens_and_lengths_is_planned(
        list in proptest::collection::vec((1u64..400, 0.2f64..5.0, 100u64..2000, proptest::option::of(1u64..4)), 1..6),
        asked in 1u64..30_000,
        how in 0..4u8,
    ) {
        let mut all = parts(&list.iter().map(|(rows, weight, ..)| (*rows, *weight)).collect::<Vec<_>>());
        for (part, (_, _, tokens, epochs)) in all.iter_mut().zip(&list) {
            (part.tokens, part.max_epochs) = (Some(*tokens), *epochs);
        }
        let length = match how {
            0 => Length::Tokens(asked),
            1 => Length::Rows(asked.min(5000)),
            2 => Length::FirstExhausted,
            _ => Length::LastExhausted,
        };
        let mixture = match Mixture::new(&all, Unit::Tokens, length, 1) {
            Ok(mixture) if mixture.len() < 100_000 => mixture,
            _ => return Ok(()),
        };
        prop_assert!(worst(&mixture) < 1.0);
        let taken = mixture.summary();
        for (part, taken) in all.iter().zip(&taken) {
            prop_assert!(taken.taken <= part.capacity());
        }
        if how == 2 {
            prop_assert!(all.iter().zip(&taken).any(|(part, taken)| taken.epochs == part.max_epochs.unwrap_or(1) as f64));
        }
        if how == 3 {
            prop_assert!(taken.iter().all(|taken| taken.epochs >= 1.0));
        }
    }
}

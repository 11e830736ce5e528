use super::*;
use std::collections::HashSet;

/// `len` words drawn from a vocabulary of 50,000.
fn words(len: usize, seed: u64) -> Vec<String> {
    (0..len as u64).map(|i| format!("w{}", mix(seed ^ mix(i)) % 50_000)).collect()
}

/// The text with every word replaced that `seed` draws with probability `rate`.
fn edited(text: &[String], rate: f64, seed: u64) -> Vec<String> {
    let draw = |i: usize| mix(seed ^ mix(i as u64));
    let replace = |i: usize| (draw(i) % 1_000_000) as f64 / 1e6 < rate;
    text.iter().enumerate().map(|(i, word)| if replace(i) { format!("e{}", draw(i)) } else { word.clone() }).collect()
}

/// The Jaccard index of the word 5-grams, counted.
fn jaccard(a: &str, b: &str) -> f64 {
    let set = |text: &str| Units::of(text).grams(SHINGLE).map(|gram| gram.hash).collect::<HashSet<u64>>();
    let (a, b) = (set(a), set(b));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

/// Pairs of 200 words with an index between 0 and 1.
fn pairs(n: u64) -> Vec<(String, String, f64)> {
    let pair = |seed: u64| {
        let text = words(200, seed);
        let changed = edited(&text, (seed % 40) as f64 / 200.0, mix(seed)).join(" ");
        let text = text.join(" ");
        let index = jaccard(&text, &changed);
        (text, changed, index)
    };
    (0..n).map(pair).collect()
}

#[test]
fn the_estimate_is_unbiased_with_the_variance_of_minhash() {
    let hashes = Hashes::new();
    let (mut sum, mut chi) = (0.0, 0.0);
    let pairs: Vec<_> = pairs(2000).into_iter().filter(|(_, _, index)| *index < 1.0).collect();
    for (a, b, index) in &pairs {
        let (a, b) = (hashes.sketch(a).signature.unwrap(), hashes.sketch(b).signature.unwrap());
        let estimate = a.iter().zip(b.iter()).filter(|(a, b)| a == b).count() as f64 / HASHES as f64;
        sum += estimate - index;
        chi += (estimate - index).powi(2) / (index * (1.0 - index) / HASHES as f64);
    }
    let n = pairs.len() as f64;
    // The mean error has a standard deviation below 0.045 / √n ≈ 0.001; the mean squared error is that of a binomial count.
    assert!((sum / n).abs() < 0.004, "{}", sum / n);
    assert!((0.85..1.15).contains(&(chi / n)), "{}", chi / n);
}

#[test]
fn near_duplicates_are_found_and_distant_texts_are_not() {
    let (mut near, mut found, mut far, mut wrong) = (0, 0, 0, 0);
    for (a, b, index) in pairs(4000) {
        let mut seen = Duplicates::new(NEAR_THRESHOLD);
        assert_eq!(seen.add(&a), None);
        let hit = seen.add(&b).is_some();
        if index >= 0.9 {
            near += 1;
            found += usize::from(hit);
        } else if index <= 0.5 {
            far += 1;
            wrong += usize::from(hit);
        }
    }
    assert!(near > 200 && far > 1000, "{near} {far}");
    assert!(found * 1000 >= near * 990, "{found} of {near}");
    assert_eq!(wrong, 0, "of {far}");
}

#[test]
fn the_most_similar_and_then_the_earliest_is_named() {
    let text = words(200, 1);
    let (close, closer) = (edited(&text, 0.012, 5).join(" "), edited(&text, 0.004, 9).join(" "));
    let mut seen = Duplicates::new(0.9);
    seen.add("another text altogether, of more than five words");
    assert_eq!(seen.add(&close), None);
    let mut alone = Duplicates::new(0.3);
    alone.add(&close);
    let Some(Duplicate { of: 0, kind: DuplicateKind::Near(_) }) = alone.add(&closer) else { panic!("not found") };
    // Kept where the threshold is above their index; then the text itself is nearest to `closer`.
    let text = text.join(" ");
    let mut all = Duplicates::new(0.999);
    for kept in [&close, &closer] {
        assert_eq!(all.add(kept), None);
    }
    all.near.least = 1;
    assert!(jaccard(&text, &closer) > jaccard(&text, &close));
    assert_eq!(all.add(&text).map(|found| found.of), Some(1));
    assert_eq!(all.add(&close.to_uppercase()), Some(Duplicate { of: 0, kind: DuplicateKind::Exact }));
    assert_eq!((all.added(), all.kept()), (4, 2));
}

#[test]
fn short_texts_have_exact_duplicates_only() {
    let mut seen = Duplicates::new(0.5);
    assert_eq!(seen.add("one two three four"), None);
    assert_eq!(seen.add("one two three five"), None);
    assert_eq!(seen.add("One, two; three: four!"), Some(Duplicate { of: 0, kind: DuplicateKind::Exact }));
    assert_eq!((seen.add(""), seen.add("…").map(|found| found.of)), (None, Some(3)));
}

#[test]
fn a_threshold_of_one_finds_exact_duplicates_only() {
    let text = words(400, 3);
    let changed = edited(&text, 0.002, 8).join(" ");
    let text = text.join(" ");
    assert!(jaccard(&text, &changed) > 0.9 && text != changed);
    for threshold in [1.0, 7.0] {
        let mut seen = Duplicates::new(threshold);
        assert_eq!((seen.add(&text), seen.add(&changed)), (None, None));
        assert_eq!(seen.add(&text).map(|found| found.of), Some(0));
    }
    let mut seen = Duplicates::new(f64::NAN);
    assert_eq!((seen.add(&text), seen.add(&changed).map(|found| found.of)), (None, Some(0)));
}

#[test]
fn all_at_once_is_the_same_as_one_by_one_whatever_the_threads() {
    let texts: Vec<String> = pairs(60).into_iter().flat_map(|(a, b, _)| [a, b]).collect();
    let mut one = Duplicates::new(0.7);
    let by_one: Vec<_> = texts.iter().map(|text| one.add(text)).collect();
    assert!(by_one.iter().flatten().count() > 10);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| Duplicates::new(0.7).add_all(&texts)), by_one);
    }
}

#[test]
fn clusters_are_closed_under_chains_and_do_not_depend_on_order() {
    // Each text differs from the next in a fresh word, so the ends of the chain are far apart.
    let mut text = words(120, 4);
    let mut chain = vec![text.join(" ")];
    for step in 0..12 {
        text[step * 10] = format!("new{step}");
        chain.push(text.join(" "));
    }
    assert!(jaccard(&chain[0], &chain[12]) < 0.45);
    let mut texts = vec![words(120, 9).join(" "), "short".into()];
    texts.extend(chain);
    texts.extend(["Short!".into(), "other".into()]);
    let found = clusters(&texts, 0.8);
    assert_eq!(found[..2], [0, 1]);
    assert_eq!(found[2..15], [2; 13]);
    assert_eq!(found[15..], [1, 16]);

    let reversed: Vec<&String> = texts.iter().rev().collect();
    let back = clusters(&reversed, 0.8);
    let last = texts.len() - 1;
    for a in 0..texts.len() {
        for b in 0..texts.len() {
            assert_eq!(found[a] == found[b], back[last - a] == back[last - b]);
        }
    }
    assert!(clusters(&[] as &[&str], 0.8).is_empty());
}

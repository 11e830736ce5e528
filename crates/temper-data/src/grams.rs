//! Which items hold an n-gram.

use crate::units::HashedMap;

/// An n-gram in more than this share of the items, and in more than [`COMMON_ITEMS`], is the wording that they share.
const COMMON_SHARE: f64 = 0.1;
const COMMON_ITEMS: usize = 10;

/// For each n-gram the items that hold it, without the wording that many items share, such as an instruction around them.
pub(crate) struct Holders {
    /// Where in `items` the holders of an n-gram begin and end.
    places: HashedMap<(u32, u32)>,
    items: Vec<u32>,
    /// For each item how many of its n-grams are counted.
    pub counted: Vec<usize>,
    /// How many n-grams are common wording.
    pub common: usize,
}

impl Holders {
    /// `grams` are the distinct n-grams of each item.
    pub fn new(grams: &[Vec<u64>]) -> Self {
        let mut held: Vec<(u64, u32)> = grams
            .iter()
            .enumerate()
            .flat_map(|(item, grams)| grams.iter().map(move |gram| (*gram, item as u32)))
            .collect();
        held.sort_unstable();
        let most = COMMON_ITEMS.max((grams.len() as f64 * COMMON_SHARE) as usize);
        let mut out =
            Self { places: HashedMap::default(), items: Vec::new(), counted: vec![0; grams.len()], common: 0 };
        for same in held.chunk_by(|a, b| a.0 == b.0) {
            if same.len() > most {
                out.common += 1;
                continue;
            }
            let from = out.items.len() as u32;
            for (_, item) in same {
                out.items.push(*item);
                out.counted[*item as usize] += 1;
            }
            out.places.insert(same[0].0, (from, out.items.len() as u32));
        }
        out
    }

    /// The items that hold an n-gram, in order.
    pub fn of(&self, gram: u64) -> &[u32] {
        self.places.get(&gram).map_or(&[], |(from, to)| &self.items[*from as usize..*to as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_listed_and_common_wording_is_counted_and_left_out() {
        // 7 is in each of 12 items, more than ten; 8 in ten of them.
        let mut items: Vec<Vec<u64>> = (0..12).map(|item| vec![7, 100 + item]).collect();
        items.iter_mut().take(10).for_each(|item| item.push(8));
        let holders = Holders::new(&items);
        assert_eq!((holders.of(7), holders.of(103), holders.of(55)), (&[][..], &[3][..], &[][..]));
        assert_eq!(holders.of(8), (0..10).collect::<Vec<u32>>());
        assert_eq!((holders.common, holders.counted[0], holders.counted[11]), (1, 2, 1));
    }
}

//! Does a picture show the class that was asked for? The judge was trained on real pictures, so this
//! is also what Shmelkov et al. (2018) call GAN-test.

use serde::Serialize;

use super::interval::Estimate;

/// The judge's classes against the labels.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// The part of all pictures whose label is the judge's class.
    pub overall: Estimate,
    /// The same for each class; of a class without pictures nothing is known.
    pub classes: Vec<Option<Estimate>>,
    /// Pictures by label (row) and the judge's class (column).
    pub confusion: Vec<Vec<usize>>,
}

impl Agreement {
    /// Counts.
    pub fn of(labels: &[u8], judged: &[u8], classes: usize) -> Agreement {
        let mut confusion = vec![vec![0; classes]; classes];
        for (&label, &judged) in labels.iter().zip(judged) {
            confusion[usize::from(label)][usize::from(judged)] += 1;
        }
        let row = |class: usize| confusion[class].iter().sum::<usize>();
        let right: usize = (0..classes).map(|class| confusion[class][class]).sum();
        Agreement {
            overall: Estimate::proportion(right, labels.len()),
            classes: (0..classes)
                .map(|class| match row(class) {
                    0 => None,
                    n => Some(Estimate::proportion(confusion[class][class], n)),
                })
                .collect(),
            confusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Agreement;

    #[test]
    fn rows_are_labels() {
        let agreement = Agreement::of(&[0, 0, 0, 1], &[0, 2, 2, 1], 3);
        assert_eq!(agreement.confusion, [[1, 0, 2], [0, 1, 0], [0, 0, 0]]);
        assert_eq!(agreement.overall.value, 0.5);
        assert_eq!(agreement.classes[0].map(|c| (c.value, c.n)), Some((1. / 3., 3)));
        assert_eq!(agreement.classes[2], None);
    }
}

//! The figures, as text and as JSON.

use std::fmt;

use contract::printable;
use serde::Serialize;

use super::agreement::Agreement;
use super::augment::Augmented;
use super::diversity::Diversity;
use super::interval::Estimate;
use super::manifold::Manifold;
use super::nearest::Nearest;

/// Below, recall or coverage is called a collapse.
const COLLAPSED: f64 = 0.2;
/// Below, a class's diversity over that of real pictures is called a collapse.
const ALIKE: f64 = 0.4;
/// Above, the part of the pictures that come suspiciously close to training pictures is remarked
/// upon: of real pictures it is 1 %.
const REMEMBERED: f64 = 0.05;

/// What is said of pictures without labels.
pub const WITHOUT_LABELS: &str =
    "left out, as the images have no labels: agreement, diversity inside a class, GAN-train";

/// What the figures were compared with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compared {
    /// Real pictures of the reference.
    pub images: usize,
    /// What they are.
    pub what: &'static str,
    /// Real training pictures that the floor and the ceiling rest on.
    pub floor_images: usize,
    /// Pictures of each set that precision, recall, density and coverage rest on.
    pub manifold_images: usize,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Pictures measured.
    pub images: usize,
    /// What with.
    pub reference: Compared,
    /// Agreement with the labels, if there are any: GAN-test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// Fréchet distance to the reference, in the judge's features.
    pub frechet: Estimate,
    /// The same of real training pictures.
    pub frechet_floor: Estimate,
    /// Precision, recall, density, coverage.
    pub manifold: Manifold,
    /// The same of real training pictures.
    pub manifold_ceiling: Manifold,
    /// Inside each class, if there are labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diversity: Option<Vec<Option<Diversity>>>,
    /// To the training pictures.
    pub nearest: Nearest,
    /// Accuracy on real test pictures of a judge that was trained on these.
    pub gan_train: Option<Estimate>,
    /// Judges that had few real pictures, with and without these, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub augmented: Option<Augmented>,
}

/// A checkpoint that pictures were drawn from.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// SHA-256 of its file.
    pub sha256: String,
    /// Which of its weights: `average` or `raw`.
    pub weights: &'static str,
}

/// The figures, and what they are of.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was measured.
    pub what: String,
    /// The checkpoint that drew them, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Drawn>,
    /// The judge: its file and what its file says of it.
    pub judge: String,
    /// SHA-256 of the judge's file.
    pub judge_sha256: String,
    /// The names of the pictures' classes.
    pub classes: Vec<String>,
    /// What was not measured, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<&'static str>,
    /// What was found.
    #[serde(flatten)]
    pub figures: Figures,
    /// What stands out, a sentence each.
    pub remarks: Vec<String>,
}

impl Figures {
    /// What stands out, a sentence each.
    pub fn remarks(&self, classes: &[String]) -> Vec<String> {
        let mut remarks = Vec::new();
        let Manifold { recall, coverage, .. } = self.manifold;
        if recall.value < COLLAPSED || coverage.value < COLLAPSED {
            remarks.push(format!(
                "collapse: the images show little of what real ones show (recall {:.2}, coverage {:.2})",
                recall.value, coverage.value
            ));
        }
        let alike = self.diversity.iter().flatten().zip(classes).filter_map(|(diversity, class)| {
            let ratio = diversity.as_ref()?.ratio.value;
            (ratio < ALIKE).then(|| format!("{class} ({ratio:.2})"))
        });
        let alike: Vec<String> = alike.collect();
        if !alike.is_empty() {
            let alike = alike.join(", ");
            remarks.push(format!("collapse: images of one class are nearly alike: {alike} of 1"));
        }
        let missing = self
            .agreement
            .iter()
            .flat_map(|agreement| &agreement.classes)
            .zip(classes)
            .filter(|(class, _)| class.is_none());
        let missing: Vec<&str> = missing.map(|(_, name)| name.as_str()).collect();
        if !missing.is_empty() {
            remarks.push(format!("there are no images of class {}", missing.join(", ")));
        }
        if self.nearest.copies > 0 {
            let (copies, n) = (self.nearest.copies, self.nearest.generated.n);
            remarks.push(format!("{copies} of {n} images are training images, to the pixel"));
        } else if self.nearest.suspicious.value > REMEMBERED {
            remarks.push(format!(
                "{} of the images are closer to a training image than 99 % of {} are: they are smooth, or \
                 remembered",
                self.nearest.suspicious.percent(),
                self.nearest.real_images
            ));
        }
        remarks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { reference, manifold, manifold_ceiling: ceiling, nearest, .. } = &self.figures;
        // Paths, and what files say, are anyone's text.
        let classes: Vec<_> = self.classes.iter().map(|name| printable(name)).collect();
        let wide = classes.iter().map(|name| name.chars().count()).fold(6, usize::max);
        writeln!(f, "{}", printable(&self.what))?;
        writeln!(f, "judge: {}", printable(&self.judge))?;
        writeln!(f, "95 % intervals in brackets")?;
        if let Some(left_out) = self.left_out {
            writeln!(f, "{left_out}")?;
        }
        if let Some(agreement) = &self.figures.agreement {
            write_agreement(f, agreement, (&classes, wide), self.figures.images)?;
        }

        let Compared { images, what, floor_images, manifold_images } = reference;
        writeln!(f, "\nin the judge's features, against {images} {what}")?;
        writeln!(f, "  Fréchet distance {}", self.figures.frechet.text(3))?;
        let floor = self.figures.frechet_floor.text(3);
        writeln!(f, "  its floor        {floor}, of {floor_images} real training images")?;
        writeln!(f, "  against {manifold_images} of them; in the last column, of real training images")?;
        for (name, found, real) in [
            ("precision", manifold.precision, ceiling.precision),
            ("recall   ", manifold.recall, ceiling.recall),
            ("density  ", manifold.density, ceiling.density),
            ("coverage ", manifold.coverage, ceiling.coverage),
        ] {
            writeln!(f, "  {name}        {}  {:.3}", found.text(3), real.value)?;
        }

        if let Some(diversity) = &self.figures.diversity {
            writeln!(f, "\ndiversity inside a class: mean distance of two images, over that of real ones")?;
            for (name, diversity) in classes.iter().zip(diversity) {
                match diversity {
                    Some(diversity) => writeln!(f, "  {name:<wide$} {}", diversity.ratio.text(3))?,
                    None => writeln!(f, "  {name:<wide$} too few images")?,
                }
            }
        }

        writeln!(f, "\nnearest training image, root mean square of a pixel in levels of 255")?;
        let real_images = nearest.real_images;
        for (name, spread) in [("these images", nearest.generated), (real_images, nearest.real)] {
            writeln!(
                f,
                "  {name:<16} 1 % below {:.1}, median {:.1}, 99 % below {:.1}, {} images",
                spread.percent_1, spread.median, spread.percent_99, spread.n
            )?;
        }
        let suspicious = nearest.suspicious.percent();
        write!(f, "  closer than 99 % of {real_images}: {suspicious}; copies: {}", nearest.copies)?;
        if let Some(accuracy) = self.figures.gan_train {
            write!(f, "\n\nGAN-train, {} real test images: {}", accuracy.n, accuracy.percent())?;
        }
        if let Some(augmented) = &self.figures.augmented {
            write!(f, "\n\ndo they help? {augmented}")?;
        }
        for remark in &self.remarks {
            write!(f, "\n\n{}", printable(remark))?;
        }
        Ok(())
    }
}

/// The part about labels, with columns as wide as the longest class.
fn write_agreement(
    f: &mut fmt::Formatter<'_>,
    agreement: &Agreement,
    (classes, wide): (&[impl fmt::Display], usize),
    images: usize,
) -> fmt::Result {
    writeln!(f, "\nagreement with the labels (GAN-test), {images} images")?;
    writeln!(f, "  {:<wide$} {}", "all", agreement.overall.percent())?;
    for (name, class) in classes.iter().zip(&agreement.classes) {
        match class {
            Some(class) => writeln!(f, "  {name:<wide$} {}  of {}", class.percent(), class.n)?,
            None => writeln!(f, "  {name:<wide$} no images")?,
        }
    }
    writeln!(f, "\nlabel (row), judge's class (column)")?;
    write!(f, "{:wide$}", "")?;
    for name in classes {
        write!(f, " {name:>wide$}")?;
    }
    writeln!(f)?;
    for (name, row) in classes.iter().zip(&agreement.confusion) {
        write!(f, "{name:>wide$}")?;
        for count in row {
            match count {
                0 => write!(f, " {:>wide$}", "·")?,
                _ => write!(f, " {count:>wide$}")?,
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

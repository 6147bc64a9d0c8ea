//! What a camera makes of a picture: strokes of another thickness, blur, little contrast, a ground that is not
//! black, grain.
//!
//! What is done to image i of a seed comes from a stream of its own (see [`Purpose`]).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Interval,
    stream::{Purpose, Stream},
    strings::is_light,
};

/// How strongly; what is left out is not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// Pixels that strokes grow by on each side; below 0 they shrink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thickness: Option<Interval>,
    /// Standard deviation of a Gaussian blur, in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blur: Option<Interval>,
    /// What is left of the difference between ink and ground, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Interval>,
    /// Levels of the ground, which goes evenly from one to another across the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Interval>,
    /// Standard deviation of every pixel, in levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grain: Option<Interval>,
}

/// A part of it: its name, and the least and the greatest that it can be.
const PARTS: [(&str, f64, f64); 5] = [
    ("thickness", -3.0, 3.0),
    ("blur", 0.0, 10.0),
    ("contrast", 0.05, 1.0),
    ("background", 0.0, 200.0),
    ("grain", 0.0, 64.0),
];

impl Noise {
    fn parts(&self) -> [Option<Interval>; 5] {
        [self.thickness, self.blur, self.contrast, self.background, self.grain]
    }

    /// The first setting that can't be, as a sentence about its option.
    pub fn fault(&self) -> Option<String> {
        let parts = self.parts().into_iter().zip(PARTS);
        let wrong = parts.filter_map(|(part, limits)| Some((part?, limits)));
        wrong.into_iter().find(|(part, (_, least, greatest))| !part.is_within(*least, *greatest)).map(
            |(part, (name, least, greatest))| {
                format!("--noise {name}={part}: expected numbers from {least} to {greatest}")
            },
        )
    }

    /// Makes image `index` of a seed what a camera would.
    ///
    /// # Shapes
    /// `pixels` (C, H, W), which lie on black, or on white if their edges do: then black and white change places
    /// in all that is said here; `shape` is C, H and W.
    pub fn apply(&self, (seed, index): (u64, u64), pixels: &mut [u8], shape: [usize; 3]) {
        let [_, height, width] = shape;
        let is_light = is_light(pixels, shape);
        if is_light {
            pixels.iter_mut().for_each(|level| *level = 255 - *level);
        }
        let mut stream = Stream::new(seed, Purpose::Noise, index);
        // Each takes its numbers whether it is asked for or not, so that one does not change with another.
        let mut draw = |part: Option<Interval>| {
            let unit = stream.unit();
            part.map(|part| part.at(unit))
        };
        let (thickness, blur, contrast) = (draw(self.thickness), draw(self.blur), draw(self.contrast));
        let (near, far) = (draw(self.background).unwrap_or(0.0), draw(self.background).unwrap_or(0.0));
        let grain = draw(self.grain).unwrap_or(0.0);
        let (sin, cos) = libm::sincos(2.0 * std::f64::consts::PI * stream.unit());
        let reach = (sin.abs() * height as f64 + cos.abs() * width as f64).max(1.0);
        for plane in pixels.chunks_exact_mut((height * width).max(1)) {
            let mut levels: Vec<f64> = plane.iter().map(|level| f64::from(*level)).collect();
            if let Some(pixels) = thickness {
                thicken(&mut levels, width, pixels);
            }
            if let Some(deviation) = blur.filter(|deviation| *deviation > 0.0) {
                levels = blurred(&levels, [height, width], deviation);
            }
            for (i, level) in levels.iter_mut().enumerate() {
                let (x, y) = ((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
                let across = (cos * (x - width as f64 / 2.0) + sin * (y - height as f64 / 2.0)) / reach + 0.5;
                let ground = near + (far - near) * across;
                *level = ground + *level * contrast.unwrap_or(1.0) * (255.0 - ground) / 255.0;
            }
            if grain > 0.0 {
                levels.iter_mut().for_each(|level| *level += grain * normal(&mut stream));
            }
            for (pixel, level) in plane.iter_mut().zip(&levels) {
                *pixel = (level + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
        if is_light {
            pixels.iter_mut().for_each(|level| *level = 255 - *level);
        }
    }
}

/// Nearly N(0, 1): the sum of four bytes.
fn normal(stream: &mut Stream) -> f64 {
    let sum: u32 = stream.bits().to_le_bytes().into_iter().map(u32::from).sum();
    // Four uniform numbers of 256 have a variance of (256² − 1) / 12 each.
    (f64::from(sum) - 510.0) / (4.0 * 65535.0 / 12.0f64).sqrt()
}

/// Each pixel on its way to the lightest, or the darkest, of it and its four neighbours, again for each whole
/// pixel.
fn thicken(levels: &mut Vec<f64>, width: usize, pixels: f64) {
    let pick = if pixels > 0.0 { f64::max } else { f64::min };
    let mut rest = pixels.abs();
    while rest > 0.0 {
        let part = rest.min(1.0);
        let of = |i: usize| {
            let level = levels[i];
            let mut found = level;
            let x = i % width;
            if x > 0 {
                found = pick(found, levels[i - 1]);
            }
            if x + 1 < width {
                found = pick(found, levels[i + 1]);
            }
            if i >= width {
                found = pick(found, levels[i - width]);
            }
            if let Some(below) = levels.get(i + width) {
                found = pick(found, *below);
            }
            level + (found - level) * part
        };
        *levels = (0..levels.len()).map(of).collect();
        rest -= part;
    }
}

/// A Gaussian blur, as far as three standard deviations; beyond the edges is what is at them.
fn blurred(levels: &[f64], [height, width]: [usize; 2], deviation: f64) -> Vec<f64> {
    let reach = (3.0 * deviation).ceil() as isize;
    let weight = |step: isize| libm::exp(-0.5 * (step as f64 / deviation).powi(2));
    let sum: f64 = (-reach..=reach).map(weight).sum();
    let weights: Vec<f64> = (-reach..=reach).map(|step| weight(step) / sum).collect();
    let along = |levels: &[f64], at: &dyn Fn(usize, isize) -> usize| -> Vec<f64> {
        let of = |i: usize| {
            weights.iter().zip(-reach..).map(|(weight, step)| weight * levels[at(i, step)]).sum::<f64>()
        };
        (0..levels.len()).map(of).collect()
    };
    let within =
        |place: usize, step: isize, end: usize| (place as isize + step).clamp(0, end as isize - 1) as usize;
    let across = along(levels, &|i, step| i / width * width + within(i % width, step, width));
    along(&across, &|i, step| within(i / width, step, height) * width + i % width)
}

/// Parts with their intervals: `blur=0..1.2,background=0..60`.
impl FromStr for Noise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = [None; 5];
        for item in text.split(',') {
            let (name, interval) = item.split_once('=').unwrap_or((item, ""));
            let Some(place) = PARTS.iter().position(|(part, ..)| *part == name.trim()) else {
                let names: Vec<_> = PARTS.iter().map(|(name, ..)| *name).collect();
                return Err(format!("{name:?} is no noise; expected NAME=A..B with {}", names.join(", ")));
            };
            if parts[place].is_some() {
                return Err(format!("{name} is there twice"));
            }
            let interval = interval.parse().map_err(|error| format!("{name}: {error}"))?;
            parts[place] = Some(interval);
        }
        let [thickness, blur, contrast, background, grain] = parts;
        let noise = Self { thickness, blur, contrast, background, grain };
        noise.fault().map_or(Ok(noise), Err)
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts().into_iter().zip(PARTS);
        let parts: Vec<_> =
            parts.filter_map(|(part, (name, ..))| Some(format!("{name}={}", part?))).collect();
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [1, 9, 7];

    /// A stroke of one column.
    fn stroke() -> Vec<u8> {
        (0..63).map(|i| if i % 7 == 3 && (2..7).contains(&(i / 7)) { 200 } else { 0 }).collect()
    }

    fn with(noise: &str, index: u64) -> Vec<u8> {
        let mut pixels = stroke();
        noise.parse::<Noise>().unwrap().apply((5, index), &mut pixels, SHAPE);
        pixels
    }

    #[test]
    fn each_does_what_it_is_called() {
        let ink = |pixels: &[u8]| pixels.iter().map(|level| u32::from(*level)).sum::<u32>();
        let plain = stroke();
        let thick = with("thickness=1", 0);
        assert_eq!(thick[4 * 7..5 * 7], [0, 0, 200, 200, 200, 0, 0]);
        assert_eq!(with("thickness=0.5", 0)[4 * 7..5 * 7], [0, 0, 100, 200, 100, 0, 0]);
        assert_eq!(with("thickness=-1", 0), [0; 63]);
        let blurred = with("blur=0.8", 0);
        assert!(ink(&blurred).abs_diff(ink(&plain)) < 40 && blurred.iter().max() < plain.iter().max());
        assert_eq!(with("contrast=0.5", 0)[4 * 7..5 * 7], [0, 0, 0, 100, 0, 0, 0]);
        assert_eq!(with("background=51", 0)[4 * 7..5 * 7], [51, 51, 51, 211, 51, 51, 51]);
        let ground = with("background=0..200", 2);
        let corners = [ground[0], ground[6], ground[56], ground[62]];
        let (least, most) = (corners.iter().min(), corners.iter().max());
        assert!(most > least.map(|least| least + 20).as_ref(), "the ground is even: {ground:?}");
        // Dark on light is the same the other way round.
        let mut light: Vec<u8> = stroke().iter().map(|level| 255 - level).collect();
        "background=51".parse::<Noise>().unwrap().apply((5, 0), &mut light, SHAPE);
        assert_eq!(light[4 * 7..5 * 7], [204, 204, 204, 44, 204, 204, 204]);
        let grain: Vec<f64> = (0..40)
            .flat_map(|index| with("background=128,contrast=0.05,grain=10", index))
            .map(f64::from)
            .filter(|level| *level < 170.0)
            .collect();
        let mean = grain.iter().sum::<f64>() / grain.len() as f64;
        let deviation =
            (grain.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / grain.len() as f64).sqrt();
        assert!((mean - 128.3).abs() < 1.0 && (deviation - 10.0).abs() < 0.5, "{mean} {deviation}");
    }

    #[test]
    fn it_depends_on_seed_and_index_alone() {
        let all = "thickness=-0.5..1,blur=0..1,contrast=0.5..1,background=0..60,grain=0..9";
        assert_eq!(with(all, 4), with(all, 4));
        assert_ne!(with(all, 4), with(all, 5));
        let mut colour = [stroke(), stroke(), stroke()].concat();
        all.parse::<Noise>().unwrap().apply((5, 4), &mut colour, [3, 9, 7]);
        assert_eq!(colour[..63], with(all, 4));
    }

    #[test]
    fn only_noise_is_read() {
        for (text, part) in [
            (
                "blurr=1",
                "\"blurr\" is no noise; expected NAME=A..B with thickness, blur, contrast, background",
            ),
            ("blur", "blur: expected a number, or A..B"),
            ("blur=0..1,blur=2", "blur is there twice"),
            ("contrast=0..1", "--noise contrast=0..1: expected numbers from 0.05 to 1"),
            ("", "no noise"),
        ] {
            let error = text.parse::<Noise>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        let noise: Noise = "grain=1..4, blur=1".parse().unwrap();
        assert_eq!(noise.to_string(), "blur=1,grain=1..4");
        let json = serde_json::to_string(&noise).unwrap();
        assert_eq!(serde_json::from_str::<Noise>(&json).unwrap(), noise);
    }
}

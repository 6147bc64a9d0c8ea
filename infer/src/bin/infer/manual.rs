//! The manual pages and the shells' completions, both made of the command line itself.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};
use infer::{Error, cli::write_output};

#[derive(Debug, Args)]
pub struct Pages {
    /// Where to write them; there must be such a folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell that is to complete infer's command lines
    shell: Shell,
}

impl Pages {
    /// Writes a page for the program and one for each of its commands.
    pub fn write(&self, program: Command) -> Result<()> {
        if !self.folder.is_dir() {
            let found = "there is no such folder; make it, or name another".into();
            return Err(Error::BadOutput { path: self.folder.clone(), found }.into());
        }
        let mut program = program.disable_help_subcommand(true);
        program.build();
        self.write_all(&program)
    }

    fn write_all(&self, command: &Command) -> Result<()> {
        for command in command.get_subcommands() {
            self.write_all(command)?;
        }
        let page = Man::new(command.clone()).manual("edgegan");
        write_output(&self.folder.join(page.get_filename()), |file| render(command, &page, file))?;
        Ok(())
    }
}

impl Completions {
    /// Prints the script that the shell reads.
    pub fn print(&self, mut program: Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "infer", &mut script);
        Ok(contract::print(&script)?)
    }
}

fn render(command: &Command, page: &Man, file: &mut dyn Write) -> io::Result<()> {
    page.render_title(file)?;
    page.render_name_section(file)?;
    page.render_synopsis_section(file)?;
    page.render_description_section(file)?;
    page.render_options_section(file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(file)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    after_help(&help).to_writer(file)
}

/// What a help ends with, a section for each of its paragraphs: lines under a heading, such as examples,
/// stay as they are.
fn after_help(help: &str) -> Roff {
    let mut page = Roff::new();
    for paragraph in help.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        match paragraph.split_once(":\n") {
            Some((heading, lines)) if !heading.contains('\n') => {
                page.control("SH", [heading.to_uppercase().as_str()]);
                page.control("nf", []);
                let lines = lines.lines().fold(String::new(), |mut text, line| {
                    let _ = writeln!(text, "{}", line.strip_prefix("  ").unwrap_or(line));
                    text
                });
                page.text([roman(lines.trim_end())]);
                page.control("fi", []);
            }
            _ => match paragraph.split_once(": ") {
                Some(("Exit status", text)) => {
                    page.control("SH", ["EXIT STATUS"]);
                    page.text([roman(text)]);
                }
                _ => {
                    page.control("SH", ["NOTES"]);
                    page.text([roman(paragraph)]);
                }
            },
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_a_heading_keeps_its_lines() {
        let help = "Examples:\n  infer --digit 5    a five\n  infer 'x'\n\nExit status: 0 done;\n2 not.";
        let expected = ".SH EXAMPLES\n.nf\ninfer \\-\\-digit 5    a five\ninfer \\*(Aqx\\*(Aq\n.fi\n\
                        .SH \"EXIT STATUS\"\n0 done;\n2 not.\n";
        let page = after_help(help).render();
        assert!(page.ends_with(expected), "{page}");
    }
}

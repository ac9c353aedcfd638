//! `flows.parquet`: the flow record flattened, one column a value, in row groups of bounded size.
//!
//! Texts stand here as the wire said them (at most 256 bytes each): a column is data, whoever prints it must escape it.
//! Equal flows in equal order give equal bytes: the file names its maker and no time.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use crate::model::case::Case;

use super::flow::FlowRow;
use super::flow_columns::{COLUMNS, Column, Flat, Take};
use super::output::Output;

/// Most rows of a row group: what is held in memory before it is written.
pub const ROWS_IN_GROUP: usize = 65_536;

/// Most bytes of texts that a row group holds; a group ends early where flows carry long texts.
const TEXT_IN_GROUP: usize = 32 << 20;

/// Values of one column of the row group that is being filled.
///
/// Texts lie one behind the other in one buffer that becomes one shared allocation when the group is written, so
/// that no value costs an allocation of its own.
struct Buffer {
    /// 1 where a row has a value, 0 where it has none; unused where every row has one.
    present: Vec<i16>,
    values: Values,
}

enum Values {
    Text { bytes: Vec<u8>, ends: Vec<usize> },
    Small(Vec<i32>),
    Large(Vec<i64>),
    Real(Vec<f64>),
    Flag(Vec<bool>),
}

impl Buffer {
    fn new(column: &Column) -> Self {
        let values = match column.take {
            Take::Text(_) | Take::Shown(_) => Values::Text {
                bytes: Vec::new(),
                ends: Vec::new(),
            },
            Take::Small(_) => Values::Small(Vec::new()),
            Take::Count(_) | Take::Time(_) => Values::Large(Vec::new()),
            Take::Real(_) => Values::Real(Vec::new()),
            Take::Flag(_) => Values::Flag(Vec::new()),
        };
        Self {
            present: Vec::new(),
            values,
        }
    }

    /// Takes the column's value of one row; returns how many bytes of text it added.
    fn push(&mut self, column: &Column, flat: &Flat<'_>) -> usize {
        let mut text = 0;
        let is_present = match (&mut self.values, column.take) {
            (Values::Text { bytes, ends }, Take::Text(take)) => {
                let value = take(flat);
                if let Some(value) = value {
                    bytes.extend_from_slice(value.as_bytes());
                    ends.push(bytes.len());
                    text = value.len();
                }
                value.is_some()
            }
            (Values::Text { bytes, ends }, Take::Shown(show)) => {
                let before = bytes.len();
                show(flat, bytes);
                text = bytes.len().saturating_sub(before);
                if text > 0 {
                    ends.push(bytes.len());
                }
                text > 0
            }
            (Values::Small(values), Take::Small(take)) => push(values, take(flat)),
            (Values::Large(values), Take::Count(take)) => push(values, take(flat).map(u64::cast_signed)),
            (Values::Large(values), Take::Time(take)) => {
                push(values, take(flat).map(|at| at.0.div_euclid(1_000)))
            }
            (Values::Real(values), Take::Real(take)) => push(values, take(flat)),
            (Values::Flag(values), Take::Flag(take)) => push(values, Some(take(flat))),
            // `new` made the buffer for its column.
            (
                Values::Text { .. } | Values::Small(_) | Values::Large(_) | Values::Real(_) | Values::Flag(_),
                Take::Text(_)
                | Take::Shown(_)
                | Take::Small(_)
                | Take::Count(_)
                | Take::Time(_)
                | Take::Real(_)
                | Take::Flag(_),
            ) => false,
        };
        if !column.is_required {
            self.present.push(i16::from(is_present));
        }
        text
    }

    fn clear(&mut self) {
        self.present.clear();
        match &mut self.values {
            Values::Text { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
            Values::Small(values) => values.clear(),
            Values::Large(values) => values.clear(),
            Values::Real(values) => values.clear(),
            Values::Flag(values) => values.clear(),
        }
    }

    fn write<W: Write + Send>(
        &mut self,
        column: &Column,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let present = (!column.is_required).then_some(self.present.as_slice());
        match &mut self.values {
            Values::Text { bytes, ends } => {
                let capacity = bytes.len();
                let whole = ByteArray::from(std::mem::replace(bytes, Vec::with_capacity(capacity)));
                let mut start = 0;
                let values: Vec<ByteArray> = ends
                    .iter()
                    .map(|end| {
                        let value = whole.slice(start, end.saturating_sub(start));
                        start = *end;
                        value
                    })
                    .collect();
                write::<ByteArrayType, W>(group, &values, present)
            }
            Values::Small(values) => write::<Int32Type, W>(group, values, present),
            Values::Large(values) => write::<Int64Type, W>(group, values, present),
            Values::Real(values) => write::<DoubleType, W>(group, values, present),
            Values::Flag(values) => write::<BoolType, W>(group, values, present),
        }
    }
}

/// Appends a value if there is one; says whether there was.
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let is_present = value.is_some();
    values.extend(value);
    is_present
}

fn write<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()
}

/// Flows as a Parquet file.
pub struct FlowTable<W: Write + Send> {
    file: SerializedFileWriter<W>,
    buffers: Vec<Buffer>,
    rows: usize,
    text: usize,
}

impl<W: Write + Send> FlowTable<W> {
    /// Begins the file.
    pub fn new(to: W) -> io::Result<Self> {
        let schema = schema().map_err(io::Error::other)?;
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties()?))
            .map_err(io::Error::other)?;
        Ok(Self {
            file,
            buffers: COLUMNS.iter().map(Buffer::new).collect(),
            rows: 0,
            text: 0,
        })
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for (column, buffer) in COLUMNS.iter().zip(&mut self.buffers) {
            buffer.write(column, &mut group)?;
            buffer.clear();
        }
        group.close()?;
        self.rows = 0;
        self.text = 0;
        Ok(())
    }
}

impl<W: Write + Send> Output<W> for FlowTable<W> {
    fn flow(&mut self, row: &FlowRow<'_>) -> io::Result<()> {
        let flat = Flat::new(row);
        for (column, buffer) in COLUMNS.iter().zip(&mut self.buffers) {
            self.text = self.text.saturating_add(buffer.push(column, &flat));
        }
        self.rows = self.rows.saturating_add(1);
        if self.rows >= ROWS_IN_GROUP || self.text >= TEXT_IN_GROUP {
            self.flush().map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: &Case) -> io::Result<W> {
        self.flush().map_err(io::Error::other)?;
        self.file.into_inner().map_err(io::Error::other)
    }
}

fn schema() -> Result<Type, ParquetError> {
    let fields = COLUMNS
        .iter()
        .map(|column| {
            let (physical, logical) = match column.take {
                Take::Text(_) | Take::Shown(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                Take::Small(_) => (Physical::INT32, None),
                Take::Count(_) => (Physical::INT64, None),
                Take::Time(_) => (
                    Physical::INT64,
                    Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
                ),
                Take::Real(_) => (Physical::DOUBLE, None),
                Take::Flag(_) => (Physical::BOOLEAN, None),
            };
            let repetition = if column.is_required {
                Repetition::REQUIRED
            } else {
                Repetition::OPTIONAL
            };
            Type::primitive_type_builder(column.name, physical)
                .with_repetition(repetition)
                .with_logical_type(logical)
                .build()
                .map(Arc::new)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("flow").with_fields(fields).build()
}

/// Dictionaries only where values repeat; statistics only where a reader would skip row groups by them.
fn properties() -> io::Result<WriterProperties> {
    let level = ZstdLevel::try_new(1).map_err(io::Error::other)?;
    let mut properties: WriterPropertiesBuilder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(concat!("farmhawk ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROWS_IN_GROUP))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None);
    for column in COLUMNS {
        let path = || ColumnPath::from(column.name);
        if column.repeats {
            properties = properties.set_column_dictionary_enabled(path(), true);
        }
        if matches!(column.take, Take::Time(_)) {
            properties = properties.set_column_statistics_enabled(path(), EnabledStatistics::Chunk);
        }
    }
    Ok(properties.build())
}

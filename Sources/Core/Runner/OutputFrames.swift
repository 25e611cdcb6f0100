/// A part of a file that a task left, as OUTPUT announces it.
package struct OutputPart: Sendable, Equatable {
    /// The number of the file within its attempt, from 1.
    package var index: Int
    /// Where the part begins in the file.
    package var offset: Int
    /// The file's name, with its first part.
    package var name: String?
    /// Whether the file ends with this part.
    package var isLast: Bool

    package init(index: Int, offset: Int, name: String?, isLast: Bool) {
        self.index = index
        self.offset = offset
        self.name = name
        self.isLast = isLast
    }

    init(_ fields: HeaderFields) throws(Frame.Violation) {
        index = try fields.integer("index", in: 1...1_000_000)
        offset = try fields.integer("offset", in: 0...(1 << 40))
        name = try fields.optionalString("name")
        isLast = try fields.flag("last")
        guard (offset == 0) == (name != nil) else { throw .header("name stands elsewhere than at offset 0") }
    }
}

/// What OUTPUTS says at the end of a task's files.
package struct OutputSummary: Sendable, Equatable {
    /// Something that was left out.
    package struct Skipped: Sendable, Equatable {
        /// Its name in readable form; empty for the folder as a whole.
        package var name: String
        /// Why.
        package var reason: String
    }

    /// How many files were sent whole.
    package var files: Int
    /// What was left out; not all of it when there is much.
    package var skipped: [Skipped]
    /// How much was left out.
    package var skippedCount: Int
    /// Whether there were more files than may be kept.
    package var isCut: Bool

    init(_ fields: HeaderFields) throws(Frame.Violation) {
        files = try fields.integer("files", in: 0...1_000_000)
        skippedCount = try fields.optionalInteger("skipped_count", in: 0...Int(1 << 40)) ?? 0
        isCut = try fields.flag("cut")
        var skipped: [Skipped] = []
        for item in try fields.objects("skipped") {
            skipped.append(Skipped(name: try item.string("name"), reason: try item.string("reason")))
        }
        self.skipped = skipped
    }
}

/// How much a task may leave in its output folder.
package struct OutputLimits: Sendable, Equatable {
    /// Files.
    package var files: Int
    /// Bytes of one file.
    package var fileBytes: Int
    /// Bytes of all files.
    package var bytes: Int
    /// How long the runner may take to hand them over.
    package var time: Duration

    package init(files: Int, fileBytes: Int, bytes: Int, time: Duration) {
        self.files = files
        self.fileBytes = fileBytes
        self.bytes = bytes
        self.time = time
    }

    func write(to writer: inout JSONWriter) {
        writer.name("outputs")
        writer.object { writer in
            writer.name("files")
            writer.value(files)
            writer.name("file_bytes")
            writer.value(fileBytes)
            writer.name("bytes")
            writer.value(bytes)
            writer.name("milliseconds")
            writer.value(max(1, Int(time.seconds * 1000)))
        }
    }
}

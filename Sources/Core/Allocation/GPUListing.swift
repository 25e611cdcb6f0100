import Foundation

/// Reads what `nvidia-smi` prints (nvidia-smi(1)).
package enum GPUListing {
    /// A device, and whether it is divided into instances that take its place.
    package struct Whole: Sendable, Equatable {
        /// The device.
        package var device: GPUDevice
        /// Whether it is in MIG mode: programs then see its instances only.
        package var isDivided: Bool
    }

    /// An instance of a divided device.
    package struct Instance: Sendable, Equatable {
        /// The UUID of the device that it is a part of.
        package var parent: String
        /// Its number among the parts of that device; nil when the line has another form.
        package var place: Int?
        /// The instance.
        package var device: GPUDevice
    }

    /// What `--query-gpu` is asked for, in the order in which `devices(csv:)` reads it.
    package static let fields = "index,uuid,name,memory.total,mig.mode.current"

    /// The devices in the answer of `--query-gpu` as csv without header and units; memory is in MiB.
    ///
    /// - Throws: ``EngineError`` for a line that is no device, since a device must not be mistaken for another one.
    package static func devices(csv: String) throws -> [Whole] {
        try csv.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(separator: ",", omittingEmptySubsequences: false).map(trimmed)
            if words == [""] { return nil }
            guard words.count == 5, let index = Int(words[0]), words[1].hasPrefix("GPU-") else {
                throw EngineError(.internalFault, "nvidia-smi printed a line that is no device: \(line.prefix(200))")
            }
            let memory = Int(words[3]).map { $0 << 20 }
            return Whole(
                device: GPUDevice(id: words[1], index: index, name: words[2], memoryBytes: memory),
                isDivided: words[4] == "Enabled")
        }
    }

    /// The instances in the answer of `-L`: each stands below the line of its device.
    package static func instances(listing: String) -> [Instance] {
        var parent: String?
        var product = ""
        var found: [Instance] = []
        for line in listing.split(whereSeparator: \.isNewline).map(trimmed) {
            guard let id = identifier(in: line) else { continue }
            if line.hasPrefix("GPU ") {
                parent = id
                product = line.split(separator: ":").dropFirst().first.map { trimmed($0.prefix { $0 != "(" }) } ?? ""
            } else if line.hasPrefix("MIG "), let parent {
                let profile = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
                let name = product.isEmpty ? profile : "\(product) \(profile)"
                found.append(
                    Instance(
                        parent: parent, place: place(in: line),
                        device: GPUDevice(id: id, name: name, memoryBytes: memory(of: profile), isInstance: true)))
            }
        }
        return found
    }

    /// The processes in the answer of `--query-compute-apps`; the tool prints a sentence when there are none.
    package static func processes(csv: String) -> [NvidiaSMI.ComputeProcess] {
        csv.split(whereSeparator: \.isNewline).compactMap { line in
            let words = line.split(separator: ",").map(trimmed)
            guard words.count == 2, let pid = Int32(words[1]) else { return nil }
            return NvidiaSMI.ComputeProcess(device: words[0], pid: pid)
        }
    }

    /// The memory that a profile such as `1g.10gb` or `1c.3g.40gb+me` promises.
    ///
    /// Its number is rounded up to whole GiB; so many GB of 10^9 bytes there are in any case.
    private static func memory(of profile: String) -> Int? {
        for part in profile.split(whereSeparator: { $0 == "." || $0 == "+" }) where part.hasSuffix("gb") {
            if let size = Int(part.dropLast(2)) { return size * 1_000_000_000 }
        }
        return nil
    }

    /// The number in `MIG 1g.10gb Device 0: (UUID: ...)`.
    private static func place(in line: String) -> Int? {
        let words = line.split(separator: " ")
        guard let word = words.firstIndex(of: "Device"), word + 1 < words.count else { return nil }
        return Int(words[word + 1].prefix { $0 != ":" })
    }

    private static func identifier(in line: String) -> String? {
        guard let start = line.range(of: "(UUID: ") else { return nil }
        let id = line[start.upperBound...].prefix { $0 != ")" }
        return id.isEmpty ? nil : String(id)
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        text.trimmingCharacters(in: .whitespaces)
    }
}

import Foundation

extension GPUListing {
    /// A device in the answer of `-q -x`.
    private struct Report {
        var uuid = ""
        /// The numbers of its instances, by what processes name them by.
        var places: [String: Int] = [:]
        var processes: [(pid: Int32, instance: String)] = []
    }

    /// The processes that compute, in the answer of `-q -x` (nvsmi_device_v12.dtd), each on the part that it has of a
    /// divided device.
    ///
    /// One whose part is not told counts for every part of its device.
    package static func processes(report: String, instances: [Instance]) -> [NvidiaSMI.ComputeProcess] {
        reports(in: report).flatMap { device in
            let parts = instances.filter { $0.parent == device.uuid }
            return device.processes.flatMap { process in
                devices(of: process.instance, in: device, parts)
                    .map { NvidiaSMI.ComputeProcess(device: $0, pid: process.pid) }
            }
        }
    }

    private static func devices(of instance: String, in device: Report, _ parts: [Instance]) -> [String] {
        guard !parts.isEmpty else { return [device.uuid] }
        let own = device.places[instance].map { place in parts.filter { $0.place == place } } ?? []
        return (own.isEmpty ? parts : own).map(\.device.id)
    }

    /// Reads the elements that matter; their values hold no others.
    private static func reports(in text: String) -> [Report] {
        var found: [Report] = []
        var device = Report()
        var values: [String: String] = [:]
        for piece in text.split(separator: "<") {
            let parts = piece.split(separator: ">", maxSplits: 1).map(String.init)
            guard let head = parts.first else { continue }
            let tag = String(head.prefix { $0 != " " })
            let value = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespacesAndNewlines) : ""
            switch tag {
            case "gpu": device = Report()
            case "/gpu": found.append(device)
            // An instance may have one of its own.
            case "uuid" where value.hasPrefix("GPU-"): device.uuid = value
            case "mig_device", "process_info": values = [:]
            case "/mig_device": device.places[instance(values)] = values["index"].flatMap { Int($0) }
            case "/process_info":
                guard let pid = values["pid"].flatMap({ Int32($0) }), values["type"]?.contains("C") != false else {
                    continue
                }
                device.processes.append((pid, instance(values)))
            default: values[tag] = value
            }
        }
        return found
    }

    private static func instance(_ values: [String: String]) -> String {
        "\(values["gpu_instance_id"] ?? "")/\(values["compute_instance_id"] ?? "")"
    }
}

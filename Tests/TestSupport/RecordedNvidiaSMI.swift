import Foundation

/// A script in the place of `nvidia-smi` that prints what was recorded of it.
///
/// Parsing and what follows can then be tested on machines without the driver. It says nothing about devices.
package struct RecordedNvidiaSMI: Sendable {
    /// The script.
    package let path: String
    private let folder: String

    package init(folder: TemporaryFolder) throws {
        self.folder = folder.path
        path = folder.path + "/nvidia-smi"
    }

    /// Prints these answers, each read anew from its file with every call.
    package func write(devices: String, listing: String = "", processes: String) throws {
        try Data(devices.utf8).write(to: URL(fileURLWithPath: folder + "/devices"))
        try Data(listing.utf8).write(to: URL(fileURLWithPath: folder + "/listing"))
        try write(processes: processes)
        try writeScript(
            """
            case "$1" in
            --query-gpu=*) cat '\(folder)/devices' ;;
            --query-compute-apps=*) cat '\(folder)/processes' ;;
            -L) cat '\(folder)/listing' ;;
            *) exit 2 ;;
            esac
            """)
    }

    /// Changes which processes compute.
    package func write(processes: String) throws {
        try Data(processes.utf8).write(to: URL(fileURLWithPath: folder + "/processes"), options: .atomic)
    }

    package func writeScript(_ body: String) throws {
        try Data("#!/bin/sh\n\(body)\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }
}

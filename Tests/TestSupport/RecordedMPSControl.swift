import Foundation

/// A script in the place of `nvidia-cuda-mps-control`: it answers as a daemon with servers does, and keeps what it was
/// told.
///
/// It speaks for no daemon and no device: only what the engine asks for can be seen with it.
package struct RecordedMPSControl: Sendable {
    /// The folder of the devices' pipe directories.
    package let pipes: String
    private let folder: String

    /// Makes the script as `nvidia-cuda-mps-control` in a folder, and pipe directories of devices below it.
    package init(folder: TemporaryFolder, devices: [String]) throws {
        self.folder = folder.path
        pipes = folder.path + "/pipes"
        for device in devices { _ = try folder.makeFolder("pipes/\(device)") }
        let path = folder.path + "/nvidia-cuda-mps-control"
        let script = """
            #!/bin/sh
            [ -d "$CUDA_MPS_PIPE_DIRECTORY" ] || { echo "Cannot find MPS control daemon process"; exit 1; }
            while read -r line; do
                echo "$(basename "$CUDA_MPS_PIPE_DIRECTORY") $line" >> '\(folder.path)/told'
                case "$line" in
                get_server_list) cat "$CUDA_MPS_PIPE_DIRECTORY/servers" 2>/dev/null ;;
                shutdown_server*) rm -f "$CUDA_MPS_PIPE_DIRECTORY/servers" ;;
                esac
            done
            exit 0

            """
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// Has a device's daemon show servers until they are shut down.
    package func show(servers: String, of device: String) throws {
        try Data(servers.utf8).write(to: URL(fileURLWithPath: "\(pipes)/\(device)/servers"))
    }

    /// Takes a device's daemon away.
    package func stop(_ device: String) throws {
        try FileManager.default.removeItem(atPath: "\(pipes)/\(device)")
    }

    /// The commands so far, each after the device of its daemon.
    package var told: [String] {
        let text = FileManager.default.contents(atPath: folder + "/told").map { String(decoding: $0, as: UTF8.self) }
        return (text ?? "").split(separator: "\n").map(String.init)
    }
}

import Foundation
import Glibc

/// A file or folder that a path leads to without a symbolic link, and how it is mounted there.
///
/// Each part of the path is opened below the one before and is never followed, so nothing that is renamed or replaced
/// meanwhile leads anywhere else. That needs no call that older kernels lack, unlike `openat2`.
struct PlainPath {
    /// Why nothing was found.
    enum Failure: Error {
        /// Nothing is there, or a link, a socket or a device.
        case absent
        /// This process may not look there.
        case hidden
    }

    /// The device and the number of the inode.
    let device: dev_t
    let inode: ino_t
    /// The mount that it lies in, by the kernel's number.
    let mountID: Int
    /// Whether it is the root of that mount, which a mere folder of what is mounted above is not.
    let isMountRoot: Bool

    /// `O_PATH` of `<fcntl.h>`, which the C library declares only under `_GNU_SOURCE`; alike on x86_64 and arm64.
    private static let pathOnly: Int32 = 0o10_000_000

    /// Walks along a path.
    ///
    /// - Parameters:
    ///   - path: An absolute path without `.` and `..`.
    ///   - root: Where the path begins; links that lead to this folder itself are followed, as that of
    ///     `/proc/PID/root` is.
    init(_ path: String, below root: String = "/") throws(Failure) {
        var current = Glibc.open(root, Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard current >= 0 else { throw Self.failure }
        // Nothing is ever written through these descriptors, so a failing close loses nothing.
        defer { close(current) }
        var above: Int?
        for part in path.utf8.split(separator: UInt8(ascii: "/")) {
            let name = String(decoding: part, as: UTF8.self)
            guard name != ".", name != ".." else { throw .absent }
            above = try Self.mount(of: current)
            let next = openat(current, name, Self.pathOnly | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { throw Self.failure }
            close(current)
            current = next
        }
        var status = stat()
        guard fstat(current, &status) == 0, [S_IFDIR, S_IFREG].contains(status.st_mode & S_IFMT) else { throw .absent }
        device = status.st_dev
        inode = status.st_ino
        mountID = try Self.mount(of: current)
        isMountRoot = above != nil && above != mountID
    }

    private static var failure: Failure { errno == EACCES ? .hidden : .absent }

    /// The mount that an open file lies in.
    private static func mount(of descriptor: Int32) throws(Failure) -> Int {
        let lines = FileManager.default.contents(atPath: "/proc/self/fdinfo/\(descriptor)") ?? Data()
        for line in String(decoding: lines, as: UTF8.self).split(separator: "\n") where line.hasPrefix("mnt_id:") {
            if let id = Int(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }) { return id }
        }
        throw .absent
    }
}

/// Where the mounts of a process are, as `/proc/PID/mountinfo` has them.
///
/// The format is that of proc_pid_mountinfo(5): the mount's number comes first, its place in the process's root fifth.
struct MountPlaces {
    private let places: [Int: [UInt8]]

    /// - Parameter text: The file's content.
    init(_ text: Data) {
        var places: [Int: [UInt8]] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 5)
            guard fields.count > 5, let id = Int(String(decoding: fields[0], as: UTF8.self)) else { continue }
            places[id] = Self.plain(fields[4])
        }
        self.places = places
    }

    /// Whether a mount is at this very place.
    func isMount(_ id: Int, at path: String) -> Bool { places[id].map { $0.elementsEqual(path.utf8) } ?? false }

    /// A path in which blanks, backslashes and line ends are no longer written as `\ooo`.
    private static func plain(_ text: Data) -> [UInt8] {
        let bytes = Array(text)
        var plain: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let digits = bytes[index...].dropFirst().prefix(3)
            if bytes[index] == UInt8(ascii: "\\"), digits.count == 3,
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                plain.append(byte)
                index += 4
            } else {
                plain.append(bytes[index])
                index += 1
            }
        }
        return plain
    }
}

import SlipwayCore

/// Writes environments as JSON.
enum EnvironmentEncoder {
    /// Several, without what their installers wrote.
    static func list(_ all: [EnvironmentStatus], name: String = "environments") -> [UInt8] {
        var writer = JSONWriter(capacity: all.count * 512 + 32)
        writer.object { writer in
            writer.name(escaping: name)
            writer.array { writer in
                for status in all { write(status, isWhole: false, to: &writer) }
            }
        }
        return writer.bytes
    }

    /// One; when it is whole, with what its installer wrote and the form of a requirements file.
    static func bytes(_ status: EnvironmentStatus, isWhole: Bool) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024 + status.log.utf8.count)
        write(status, isWhole: isWhole, to: &writer)
        return writer.bytes
    }

    private static func write(_ status: EnvironmentStatus, isWhole: Bool, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("id")
            writer.value(status.id)
            writer.name("key")
            writer.value(status.key)
            writer.name("state")
            writer.value(status.state.rawValue)
            writer.name("requirements")
            writer.array { writer in
                for text in status.requirements { writer.value(text) }
            }
            writer.name("project")
            writer.value(status.project)
            writePackages(status.packages, to: &writer)
            writer.name("runtime")
            writer.value(status.runtime)
            writer.name("image")
            writer.value(status.image)
            writer.name("installer")
            writer.value(status.installer)
            writer.name("size")
            writer.value(status.bytes)
            writer.name("created_at")
            writer.value(status.createdAt)
            writer.name("last_used_at")
            if let date = status.lastUsedAt { writer.value(date) } else { writer.null() }
            writer.name("build_seconds")
            if let seconds = status.buildSeconds { writer.value(seconds) } else { writer.null() }
            writer.name("in_use")
            writer.value(status.isUsed)
            writer.name("replaced")
            writer.value(status.isReplaced)
            writer.name("error")
            writer.value(status.error)
            if isWhole {
                writer.name("log")
                writer.value(status.log)
                writer.name("lock")
                writer.value(status.lock)
            }
        }
    }

    private static func writePackages(_ packages: [EnvironmentPackage], to writer: inout JSONWriter) {
        writer.name("resolved")
        writer.array { writer in
            for package in packages {
                writer.object { writer in
                    writer.name("name")
                    writer.value(package.name)
                    writer.name("version")
                    writer.value(package.version)
                    writer.name("hashes")
                    writer.array { writer in
                        for hash in package.hashes { writer.value(hash) }
                    }
                }
            }
        }
    }
}

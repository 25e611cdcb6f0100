import Foundation
import SlipwayCore
import TestSupport
import Testing

/// The reader of control groups, on trees as kernels show them.
@Suite struct CgroupLimitsTests {
    /// Writes files below a folder and reads the limits of process 42 there.
    private func read(_ files: [String: String]) throws -> CgroupLimits {
        let folder = try TemporaryFolder()
        for (path, text) in files {
            let url = URL(fileURLWithPath: folder.path).appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return CgroupLimits.read(root: folder.path, process: "42")
    }

    @Test func versionTwo() throws {
        let limits = try read([
            "proc/42/cgroup": "0::/system.slice/docker-abc.scope\n",
            "sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
            "sys/fs/cgroup/system.slice/memory.max": "max\n",
            "sys/fs/cgroup/system.slice/docker-abc.scope/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/system.slice/docker-abc.scope/memory.max": "536870912\n",
            "sys/fs/cgroup/system.slice/docker-abc.scope/memory.high": "max\n",
        ])
        #expect(limits == CgroupLimits(cpus: 1.5, memoryBytes: 512 << 20))
    }

    @Test func versionTwoWithoutLimitsAndInANamespace() throws {
        let limits = try read([
            "proc/42/cgroup": "0::/\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
            "sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max\n",
        ])
        #expect(limits == CgroupLimits())
    }

    @Test func aGroupAboveIsTighter() throws {
        let limits = try read([
            "proc/42/cgroup": "0::/user.slice/job\n", "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
            "sys/fs/cgroup/user.slice/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/user.slice/job/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/user.slice/job/memory.max": "1073741824\n",
        ])
        #expect(limits == CgroupLimits(cpus: 0.5, memoryBytes: 1 << 30))
    }

    @Test func versionOne() throws {
        let limits = try read([
            "proc/42/cgroup": """
            12:pids:/docker/abc
            11:memory:/docker/abc
            4:cpu,cpuacct:/docker/abc
            1:name=systemd:/docker/abc
            0::/system.slice/containerd.service

            """,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "25000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "134217728\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ])
        #expect(limits == CgroupLimits(cpus: 0.25, memoryBytes: 128 << 20))
    }

    @Test func versionOneInAContainerWhosePathIsNotMounted() throws {
        let limits = try read([
            "proc/42/cgroup": "5:memory:/docker/abc\n3:cpu:/docker/abc\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
        ])
        #expect(limits == CgroupLimits(cpus: nil, memoryBytes: 256 << 20))
    }

    @Test func bothVersionsAtOnce() throws {
        let limits = try read([
            "proc/42/cgroup": "9:memory:/\n2:cpu:/\n0::/job\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/unified/cgroup.controllers": "\n", "sys/fs/cgroup/unified/job/cpu.max": "300000 100000\n",
        ])
        #expect(limits == CgroupLimits(cpus: 3, memoryBytes: nil))
    }

    @Test func whatCannotBeReadLimitsNothing() throws {
        #expect(try read([:]) == CgroupLimits())
        #expect(
            try read(["proc/42/cgroup": "nonsense\n0::/../..\n", "sys/fs/cgroup/cpu.max": "many\n"])
                == CgroupLimits())
    }

    @Test func theMachineIsBoundedByTheLimits() {
        let host = HostSize(cpus: 8, memoryBytes: 16 << 30)
        #expect(CgroupLimits().bounding(host) == host)
        let bounded = CgroupLimits(cpus: 1.5, memoryBytes: 1 << 30).bounding(host)
        #expect(bounded == HostSize(cpus: 1.5, memoryBytes: 1 << 30))
        #expect(CgroupLimits(cpus: 64, memoryBytes: 1 << 40).bounding(host) == host)
    }
}

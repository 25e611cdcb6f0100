import SlipwayCore
import TestSupport
import Testing

extension LiveSandboxes {
    @Suite(
        "Without huge pages", .serialized, .enabled("no container engine answers", hasContainers),
        .engines {
            $0.pools.defaults.max = 1
            $0.pools.defaults.minIdle = 0
            $0.runner.hugePages = false
        })
    struct HugePageTests {
        /// Which mappings of the interpreter's file may be written to, how much memory of code lies on huge pages, and
        /// what the task sees of the settings.
        private static let look = """
            import os, re
            def main():
                with open("/proc/self/smaps") as smaps:
                    text = smaps.read()
                found = re.findall(r"(?m)^[0-9a-f]+-\\S+ (\\S+) \\S+ \\S+ \\S+ *(.*)\\n"
                    r"(?:\\w+:.*\\n)*?AnonHugePages: *(\\d+)", text)
                return {
                    "own": [name for access, name, _ in found if "w" in access and "/bin/python" in name],
                    "code": sum(int(kb) for access, _, kb in found if "x" in access),
                    "told": [name for name in os.environ if "HUGE" in name or "GLIBC" in name],
                }
            """

        @Test("tasks run on the memory that the kernel gave, where the operator wants it so")
        func operatorsChoice() async throws {
            let outcome = try await sharedEngine("docker").run(source: Self.look, within: .seconds(90)) { _ in }
            let value = try #require(outcome.value, "\(outcome.summary)")
            #expect(value["own"] != [], "the interpreter's variables were moved: \(value)")
            #expect(value["code"] == 0)
            #expect(value["told"] == [])
        }
    }
}

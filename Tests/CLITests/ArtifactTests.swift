import Foundation
import SlipwayCore
import Testing

@Suite("Files that a task leaves, on the command line")
struct ArtifactTests {
    private static let code = """
        import os
        out = os.environ['SLIPWAY_OUTPUT']
        os.mkdir(out + '/sub')
        open(out + '/sub/a.txt', 'w').write('left')
        open(out + '/b.bin', 'wb').write(bytes(3000000))
        os.symlink('/etc/passwd', out + '/link')
        """

    @Test("run says what was left, and saves it where it is told", arguments: CommandLineTool.runtimes)
    func run(runtime: CommandLineTool.Runtime) async throws {
        let tool = try CommandLineTool(runtime)
        let told = try await tool.run("run", "-c", Self.code)
        #expect(told.code == 0, "\(told.err)")
        #expect(told.err.contains("the task left 2 files (2.9 MiB): b.bin, sub/a.txt; --output FOLDER keeps them"))
        #expect(told.err.contains("not kept: link: is a symbolic link"))
        let folder = tool.folder.path + "/kept"
        let saved = try await tool.run("run", "--output", folder, "-c", Self.code)
        #expect(saved.code == 0, "\(saved.err)")
        #expect(saved.err.contains("saved 2 files in \(folder)"))
        #expect(FileManager.default.contents(atPath: folder + "/sub/a.txt") == Data("left".utf8))
        #expect(FileManager.default.contents(atPath: folder + "/b.bin")?.count == 3_000_000)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["b.bin", "sub"])
        let none = try await tool.run("run", "-c", "pass")
        #expect(!none.err.contains("left"))
    }

    @Test("a file, and what no folder can be below of, is refused before anything is run or asked for")
    func notAFolder() async throws {
        let tool = try CommandLineTool(.process)
        try tool.write("hello.py", "print('has run')\n")
        for (path, arguments) in [
            ("hello.py", ["run", "-o", "hello.py", "hello.py"]),
            ("/dev/null/x", ["run", "-o", "/dev/null/x", "hello.py"]),
            ("/dev/null/x", ["artifacts", JobID().description, "-o", "/dev/null/x"]),
        ] {
            let output = try await tool.run(arguments)
            #expect((output.code, output.out) == (2, ""))
            #expect(output.err.contains("no files can be saved in \(path): Not a directory"), "\(output.err)")
        }
    }

    @Test("no symbolic link of the target folder is followed")
    func links() async throws {
        let tool = try CommandLineTool(.process)
        let folder = tool.folder.path + "/kept"
        let outside = tool.folder.path + "/outside"
        for path in [folder, outside] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        try FileManager.default.createSymbolicLink(atPath: folder + "/sub", withDestinationPath: outside)
        let output = try await tool.run("run", "--output", folder, "-c", Self.code)
        #expect(output.code == 3)
        #expect(output.err.contains("it is no folder"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == [])
    }

    @Test("two files whose names differ in the spelling of an accent only are two", arguments: CommandLineTool.runtimes)
    func spellings(runtime: CommandLineTool.Runtime) async throws {
        let code = """
            import os
            for number, name in enumerate(['caf\\u00e9.txt', 'cafe\\u0301.txt']):
                open(os.environ['SLIPWAY_OUTPUT'] + '/' + name, 'w').write(str(number))
            """
        let names = ["caf\u{E9}.txt", "cafe\u{301}.txt"]
        try await ServedGateway.with(runtime) { tool, gateway in
            let id = try await tool.run("submit", "-c", code).out.trimmingCharacters(in: .newlines)
            #expect(try await tool.run("wait", id).code == 0)
            for (number, name) in names.enumerated() {
                let folder = tool.folder.path + "/kept-\(number)"
                let saved = try await tool.run("artifacts", id, name, "-o", folder)
                #expect(saved.code == 0 && saved.err.contains("saved 1 file "), "\(saved.err)")
                #expect(FileManager.default.contents(atPath: folder + "/" + name) == Data("\(number)".utf8))
            }
            let all = tool.folder.path + "/all"
            let saved = try await tool.run("artifacts", id, "-o", all)
            #expect(saved.code == 0 && saved.err.contains("saved 2 files "), "\(saved.err)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: all).count == 2)
        }
    }

    @Test("artifacts lists and saves those of a gateway's job", arguments: CommandLineTool.runtimes)
    func gateway(runtime: CommandLineTool.Runtime) async throws {
        try await ServedGateway.with(runtime) { tool, gateway in
            let id = try await tool.run("submit", "-c", Self.code).out.trimmingCharacters(in: .newlines)
            _ = try await tool.run("wait", id)
            let list = try await tool.run("artifacts", id)
            #expect(list.code == 0, "\(list.err)")
            #expect(list.out.contains("sub/a.txt"))
            #expect(list.out.contains("2.9 MiB"))
            let json = try await tool.run("artifacts", id, "--json").json()
            guard case .array(let artifacts)? = json["artifacts"] else {
                Issue.record("no list: \(json)")
                return
            }
            #expect(artifacts.map { $0["name"] } == ["b.bin", "sub/a.txt"])
            let folder = tool.folder.path + "/kept"
            #expect(try await tool.run("artifacts", id, "sub/a.txt", "-o", folder).code == 0)
            #expect(try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() == ["sub", "sub/a.txt"])
            #expect(try await tool.run("artifacts", id, "-o", folder).code == 0)
            #expect(FileManager.default.contents(atPath: folder + "/b.bin")?.count == 3_000_000)
            let missing = try await tool.run("artifacts", id, "nothing")
            #expect(missing.code == 1)
            #expect(missing.err.contains("'nothing'"))
        }
    }
}

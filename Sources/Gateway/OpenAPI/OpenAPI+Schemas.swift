extension OpenAPI {
    static let parameters = #"""
        {
        "tenant":{"name":"tenant","in":"path","required":true,"schema":{"$ref":"#/components/schemas/TenantName"}},
        "id":{"name":"id","in":"path","required":true,"schema":{"type":"string","pattern":"^job_[0-9A-HJKMNP-TV-Z]{36}$"}},
        "wait":{"name":"wait","in":"query","description":"Seconds to wait for the end of the job; at most gateway.wait_max (60) are waited.",
          "schema":{"$ref":"#/components/schemas/Duration"}},
        "prefer":{"name":"Prefer","in":"header","description":"wait=N, as the query parameter wait.","schema":{"type":"string"}},
        "idempotencyKey":{"name":"Idempotency-Key","in":"header","description":"The same key and body submit once, for 24 hours.",
          "schema":{"type":"string","minLength":1,"maxLength":255}}
        }
        """#

    static let headers = #"""
        {"Location":{"description":"The address of the job, or of the environment.","schema":{"type":"string"}},
        "PreferenceApplied":{"description":"The wait that was taken from Prefer.","schema":{"type":"string"}},
        "RateLimitPolicy":{"description":"With 200, 202 and 429 rate-exceeded, for tenants with a rate: \"submits\";q=<jobs a minute>;w=60. With 429 queue-full: \"queue\";q=<unfinished jobs>.",
          "schema":{"type":"string"}},
        "RateLimit":{"description":"With the policy: its name, r=<left> and t=<seconds>: with 200 and 202 until all are there again, with 429 until this request may pass.",
          "schema":{"type":"string"}}}
        """#

    static let responses = #"""
        {
        "Problem":{"description":"What is wrong (RFC 9457).",
          "content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},
        "Retry":{"description":"What is wrong (RFC 9457), and when to try again.",
          "headers":{"Retry-After":{"schema":{"type":"integer"}},
            "RateLimit-Policy":{"$ref":"#/components/headers/RateLimitPolicy"},
            "RateLimit":{"$ref":"#/components/headers/RateLimit"}},
          "content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}},
        "Unauthorized":{"description":"There is no valid key.","headers":{"WWW-Authenticate":{"schema":{"type":"string"}}},
          "content":{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}}
        }
        """#

    static let schemas = #"""
        {
        \#(adminSchemas),
        "Duration":{"description":"Seconds, or a text such as 500ms, 30s, 5m, 1h30m: units from large to small, each once.",
          "anyOf":[{"type":"number","minimum":0},{"type":"string","minLength":1,"maxLength":64,
            "pattern":"^([0-9]+([.][0-9]+)?|([0-9]+([.][0-9]+)?d)?([0-9]+([.][0-9]+)?h)?([0-9]+([.][0-9]+)?m)?([0-9]+([.][0-9]+)?s)?([0-9]+([.][0-9]+)?ms)?([0-9]+([.][0-9]+)?us)?([0-9]+([.][0-9]+)?ns)?)$"}]},
        "NullableDuration":{"anyOf":[{"$ref":"#/components/schemas/Duration"},{"type":"null"}]},
        "Size":{"description":"Bytes, or a text such as 512m, 2g, 1GiB; units are powers of 1024.",
          "anyOf":[{"type":"integer","minimum":0},{"type":"string","pattern":"^[0-9]+([.][0-9]+)?([kmgtKMGT]([iI]?[bB])?|[bB])?$"}]},
        "NullableSize":{"anyOf":[{"$ref":"#/components/schemas/Size"},{"type":"null"}]},
        "JobState":{"enum":["queued","starting","running","completed","error","cancelled"]},
        "Content":{"description":"Text, or bytes in base64.","anyOf":[{"type":"string"},{"type":"object",
          "required":["encoding","data"],"additionalProperties":false,
          "properties":{"encoding":{"const":"base64"},"data":{"type":"string","contentEncoding":"base64"}}}]},
        "Task":{"oneOf":[
          {"title":"callable","type":"object","required":["type","data"],"additionalProperties":false,"properties":{
            "type":{"const":"callable"},
            "data":{"type":"string","description":"base64 of zlib of the cloudpickle of (fn, args, kwargs)."},
            "python":{"type":["string","null"],"pattern":"^3[.][0-9]{1,2}([.][0-9]+)?$"}}},
          {"title":"source","type":"object","required":["type","code"],"additionalProperties":false,"properties":{
            "type":{"const":"source"},"code":{"type":"string","minLength":1},
            "entrypoint":{"type":["string","null"],"default":"main"},
            "args":{"type":["array","null"]},"kwargs":{"type":["object","null"]}}},
          {"title":"command","type":"object","required":["type","argv"],"additionalProperties":false,"properties":{
            "type":{"const":"command"},"argv":{"type":"array","minItems":1,"maxItems":10000,"items":{"type":"string"}},
            "stdin":{"anyOf":[{"$ref":"#/components/schemas/Content"},{"type":"null"}]},
            "files":{"type":["object","null"],"propertyNames":{"minLength":1,"maxLength":255},"additionalProperties":{"$ref":"#/components/schemas/Content"}},
            "protocol":{"enum":["none","jsonl",null],"default":"none"}}},
          {"title":"handler","type":"object","required":["type","name"],"additionalProperties":false,"properties":{
            "type":{"const":"handler"},"name":{"type":"string"},"input":true}}]},
        "JobRequest":{"type":"object","required":["task"],"additionalProperties":false,"properties":{
          "task":{"$ref":"#/components/schemas/Task"},
          "name":{"type":["string","null"],"minLength":1,"maxLength":255},
          "handler":{"type":["string","null"]},"image":{"type":["string","null"]},
          "requirements":{"type":["array","null"],"maxItems":200,"items":{"type":"string"}},
          "index_url":{"type":["string","null"]},"project":{"type":["string","null"]},
          "env":{"type":["object","null"],"maxProperties":256,"additionalProperties":{"type":"string"}},
          "secrets":{"type":["array","null"],"items":{"type":"string"}},
          "resources":{"type":["object","null"],"additionalProperties":false,"properties":{
            "cpus":{"type":["number","null"]},"memory":{"$ref":"#/components/schemas/NullableSize"},
            "pids":{"type":["integer","null"]},"tmp":{"$ref":"#/components/schemas/NullableSize"},
            "shm":{"$ref":"#/components/schemas/NullableSize"},"open_files":{"type":["integer","null"]},
            "gpus":{"type":["object","null"],"additionalProperties":false,"properties":{
              "count":{"type":["integer","null"]},"devices":{"type":["array","null"],"items":{"type":"string"}},
              "memory":{"$ref":"#/components/schemas/NullableSize"}}}}},
          "network":{"type":["string","null"]},
          "mounts":{"type":["array","null"],"maxItems":32,"items":{"type":"object","required":["source","target"],
            "additionalProperties":false,"properties":{"source":{"type":"string"},"target":{"type":"string"},
            "mode":{"enum":["ro","rw",null],"default":"ro"}}}},
          "timeout":{"$ref":"#/components/schemas/NullableDuration"},
          "queue_timeout":{"$ref":"#/components/schemas/NullableDuration"},
          "retry":{"type":["object","null"],"additionalProperties":false,"properties":{
            "max_attempts":{"type":["integer","null"],"minimum":1,"default":1},
            "backoff":{"$ref":"#/components/schemas/NullableDuration"}}},
          "priority":{"type":["integer","null"],"minimum":-100,"maximum":100,"default":0},
          "labels":{"type":["object","null"],"maxProperties":64,
            "propertyNames":{"pattern":"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,62}$"},
            "additionalProperties":{"type":"string","maxLength":255}},
          "preload":{"type":["array","null"],"maxItems":100,"items":{"type":"string"}}}},
        "JobError":{"type":"object","required":["kind","message"],"properties":{
          "kind":{"enum":["exception","exit","timeout","oom","lost","protocol","dependency","start_failed","artifact_corrupt","expired"]},
          "type":{"type":["string","null"]},"message":{"type":"string"},"traceback":{"type":["string","null"]}}},
        "Result":{"type":"object","required":["media_type"],"properties":{
          "media_type":{"enum":["application/json","application/vnd.python.pickle","text/plain","application/octet-stream"]},
          "value":{"description":"The value, for application/json."},
          "encoding":{"enum":["zlib+base64","base64"]},"data":{"type":"string"},"exit_code":{"type":"integer"}}},
        "ArtifactList":{"type":"object","required":["job_id","artifacts"],"properties":{"job_id":{"type":"string"},
          "artifacts":{"type":"array","items":{"type":"object","required":["name","size","sha256","media_type","url"],"properties":{
            "name":{"type":"string","maxLength":1024},"size":{"type":"integer","minimum":0},
            "sha256":{"type":"string","pattern":"^[0-9a-f]{64}$"},"media_type":{"type":"string","description":"A guess from the name."},
            "url":{"type":"string"}}}}}},
        "JobResult":{"allOf":[{"type":"object","required":["job_id","state","error"],"properties":{
          "job_id":{"type":"string"},"state":{"$ref":"#/components/schemas/JobState"},
          "exit_code":{"type":"integer","description":"Of a failed job, too, where there is one."},
          "error":{"anyOf":[{"$ref":"#/components/schemas/JobError"},{"type":"null"}]}}}],
          "if":{"properties":{"state":{"const":"completed"}}},"then":{"$ref":"#/components/schemas/Result"}},
        "Job":{"type":"object","required":["id","tenant","state","attempt","created_at","result_url"],"properties":{
          "id":{"type":"string"},"tenant":{"type":"string"},"name":{"type":["string","null"]},
          "kind":{"enum":["callable","source","command","handler"]},"handler":{"type":"string"},
          "state":{"$ref":"#/components/schemas/JobState"},"attempt":{"type":"integer"},
          "message":{"type":["string","null"],"description":"What a waiting job waits for that is short at present."},
          "created_at":{"type":"string","format":"date-time"},"started_at":{"type":["string","null"],"format":"date-time"},
          "finished_at":{"type":["string","null"],"format":"date-time"},
          "timings":{"type":"object","description":"Seconds.","properties":{"queued":{"type":["number","null"]},
            "start":{"type":["number","null"]},"run":{"type":["number","null"]},"total":{"type":["number","null"]}}},
          "start":{"enum":["warm","stem","cold",null]},"sandbox":{"type":["string","null"]},
          "exit_code":{"type":["integer","null"]},
          "usage":{"type":["object","null"],"properties":{"cpu_seconds":{"type":"number"},"max_rss":{"type":"integer"},
            "sandbox_memory_peak":{"type":["integer","null"],
              "description":"Of the whole sandbox since it was made; null for tasks of less than 10 ms."}}},
          "gpu":{"type":["object","null"],"properties":{"devices":{"type":"array","items":{"type":"string"}},
            "memory_limit":{"type":["integer","null"]},"enforcement":{"enum":["mig","mps","ledger",null]}}},
          "error":{"anyOf":[{"$ref":"#/components/schemas/JobError"},{"type":"null"}]},
          "cancel_requested":{"type":"boolean"},"labels":{"type":"object","additionalProperties":{"type":"string"}},
          "result_url":{"type":"string"},"result":{"$ref":"#/components/schemas/Result"}}},
        "JobList":{"type":"object","required":["jobs","next_cursor"],"properties":{
          "jobs":{"type":"array","items":{"$ref":"#/components/schemas/Job"}},"next_cursor":{"type":["string","null"]}}},
        "Event":{"type":"object","required":["type","job_id","seq","time"],"properties":{"type":{"type":"string"},
          "job_id":{"type":"string"},"seq":{"type":"integer"},"time":{"type":"string","format":"date-time"}},
          "allOf":[
          {"if":{"properties":{"type":{"const":"job_update"}}},"then":{"required":["status","attempt"],"properties":{
            "status":{"$ref":"#/components/schemas/JobState"},"attempt":{"type":"integer","minimum":0},
            "message":{"type":"string"},"error":{"$ref":"#/components/schemas/JobError"}}}},
          {"if":{"properties":{"type":{"const":"log"}}},"then":{"required":["stream","data"],"properties":{
            "stream":{"enum":["stdout","stderr","build"]},"data":{"type":"string"}}}}]},
        "TenantEvent":{"anyOf":[
          {"title":"event","allOf":[{"$ref":"#/components/schemas/Event"},
            {"type":"object","required":["stream_id"],"properties":{"stream_id":{"type":"string"}}},
            {"if":{"properties":{"type":{"const":"job_update"}}},"then":{"properties":{
              "job":{"$ref":"#/components/schemas/Job"},"result":{"$ref":"#/components/schemas/Result"}}}}]},
          {"title":"gap","description":"Some events were missed.","type":"object","required":["type","stream_id"],
            "additionalProperties":false,"properties":{"type":{"const":"gap"},"stream_id":{"type":"string"}}}]},
        "Pool":{"type":"object","required":["runtime","image","warm","stem","busy","starting","max"],"properties":{
          "name":{"type":["string","null"]},"tenant":{"type":["string","null"]},
          "runtime":{"type":"string"},"image":{"type":"string"},"network":{"type":"string"},"cpus":{"type":"number"},
          "memory":{"type":"integer"},"warm":{"type":"integer"},"stem":{"type":"integer"},"busy":{"type":"integer"},
          "starting":{"type":"integer"},"paused":{"type":"integer"},"destroying":{"type":"integer"},
          "waiting":{"type":"integer"},"max":{"type":"integer"},"min_idle":{"type":"integer"},
          "grants":{"type":"object","additionalProperties":{"type":"integer"}},
          "destroyed":{"type":"object","additionalProperties":{"type":"integer"}},
          "slots":{"type":"integer"},"running":{"type":"integer"},"hit_rate":{"type":["number","null"]},
          "wait":{"type":"object","properties":{"p50":{"type":["number","null"]},"p99":{"type":["number","null"]},
            "max":{"type":"number"}}},
          "waits_for":{"type":["string","null"]},"last_error":{"type":["string","null"]},"retry_in":{"type":["number","null"]},
          "preload_errors":{"type":"array","items":{"type":"object","required":["module","message"],"properties":{
            "module":{"type":"string"},"message":{"type":"string"}}}}}},
        "Usage":{"type":"object","required":["tenant","limits","used","idle"],"properties":{"tenant":{"type":"string"},
          "limits":{"type":"object","description":"null: no limit.","properties":{"cpus":{"type":["number","null"]},
            "memory":{"type":["integer","null"]},"gpus":{"type":["integer","null"]},
            "running":{"type":["integer","null"]},"unfinished":{"type":"integer"}}},
          "used":{"type":"object","description":"What the tenant's jobs have now.","properties":{
            "cpus":{"type":"number"},"memory":{"type":"integer"},"gpus":{"type":"integer"},
            "running":{"type":"integer"},"unfinished":{"type":"integer"}}},
          "idle":{"type":"object","description":"The tenant's warm sandboxes, given up when anybody needs their room.",
            "properties":{"sandboxes":{"type":"integer"},"memory":{"type":"integer"}}}}},
        \#(environmentSchemas)
        "Readiness":{"type":"object","required":["status","container_engine","reasons"],"properties":{"status":{"enum":["ready","not-ready"]},
          "container_engine":{"type":"string"},"reasons":{"type":"array","items":{"type":"string"}}}},
        "Problem":{"type":"object","required":["type","title","status","detail","instance","request_id"],"properties":{
          "type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},
          "instance":{"type":"string"},"request_id":{"type":"string"},"offset":{"type":"integer"},
          "state":{"$ref":"#/components/schemas/JobState"},
          "errors":{"type":"array","items":{"type":"object","required":["pointer","code","detail"],"properties":{
            "pointer":{"type":"string"},"code":{"type":"string"},"detail":{"type":"string"}}}}}}
        }
        """#
}

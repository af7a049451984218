// SPDX-License-Identifier: GPL-2.0-or-later
using System.Globalization;
using System.Xml;

namespace Lguest.NativeTests;

/// <summary>Results as Visual Studio's test tools write them (.trx): the parts that counters and reports read.</summary>
internal static class ResultFile
{
    private const string Namespace = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010";

    /// <summary>Writes one.</summary>
    public static void Write(string path, IReadOnlyCollection<TestOutcome> outcomes)
    {
        int passed = outcomes.Count(outcome => outcome.Kind == CaseRunner.Passes);
        int failed = outcomes.Count(outcome => outcome.Kind == CaseRunner.Fails);
        using XmlWriter writer = XmlWriter.Create(path, new XmlWriterSettings { Indent = true });
        writer.WriteStartElement("TestRun", Namespace);
        writer.WriteStartElement("Results");
        foreach (TestOutcome outcome in outcomes)
        {
            writer.WriteStartElement("UnitTestResult");
            writer.WriteAttributeString("testName", outcome.Name);
            writer.WriteAttributeString("duration", outcome.Time.ToString("c", CultureInfo.InvariantCulture));
            writer.WriteAttributeString("outcome", outcome.Kind switch
            {
                CaseRunner.Passes => "Passed",
                CaseRunner.Fails => "Failed",
                _ => "NotExecuted",
            });
            if (outcome.Message.Length > 0)
            {
                writer.WriteStartElement("Output");
                writer.WriteStartElement("ErrorInfo");
                writer.WriteElementString("Message", string.Concat(outcome.Message.Where(XmlConvert.IsXmlChar)));
                writer.WriteEndElement();
                writer.WriteEndElement();
            }

            writer.WriteEndElement();
        }

        writer.WriteEndElement();
        writer.WriteStartElement("ResultSummary");
        writer.WriteAttributeString("outcome", failed == 0 ? "Completed" : "Failed");
        writer.WriteStartElement("Counters");
        Count("total", outcomes.Count);
        Count("executed", passed + failed);
        Count("passed", passed);
        Count("failed", failed);
        Count("notExecuted", outcomes.Count - passed - failed);
        writer.WriteEndElement();
        writer.WriteEndElement();
        writer.WriteEndElement();

        void Count(string name, int count) => writer.WriteAttributeString(name, count.ToString(CultureInfo.InvariantCulture));
    }
}
